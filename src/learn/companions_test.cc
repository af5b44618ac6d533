#include "learn/companions.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

namespace llmpatch {
namespace {

// A model of 50 tokens, each of which is its number.
class NumberModel : public Transformer {
 public:
  TransformerShape shape() const override { return {1, 50, 0, 0}; }
  torch::Tensor embed(const torch::Tensor& ids) const override {
    return ids.to(torch::kFloat32).unsqueeze(1);
  }
  torch::Tensor forward(const torch::Tensor&, const Layout&, const LowRankUpdates&) const override {
    return {};
  }
  const FrozenMatrix& output() const override { throw std::logic_error("not asked for"); }
};

const NumberModel kModel;

// How often each of two prefixes stood beside in 1,000 steps; -1: none, 2: random rows.
std::map<int, int> counts(const Companions& companions, std::uint64_t seed) {
  std::map<int, int> found;
  for (std::int64_t step = 0; step < 1000; ++step) {
    const torch::Tensor rows = companions.draw(kModel, seed, step);
    ++found[!rows.defined() ? -1 : rows.size(0) == 3 ? 2 : rows[0][0].item<int>()];
  }
  return found;
}

const std::vector<torch::Tensor> kTwo{torch::zeros({5, 1}), torch::ones({4, 1})};

TEST(Companions, StandBesideAtTheirRateAndInEqualShares) {
  const auto found = counts(Companions(kTwo, 0, 0.6), 7);
  // Binomial: 4 standard deviations of 1,000 draws are 62 at .4 and 58 at .3.
  EXPECT_NEAR(found.at(-1), 400, 62);
  EXPECT_NEAR(found.at(0), 300, 58);
  EXPECT_NEAR(found.at(1), 300, 58);
  const auto always = counts(Companions(kTwo, 3, 1), 7);
  EXPECT_FALSE(always.contains(-1));
  for (int kind = 0; kind < 3; ++kind) EXPECT_NEAR(always.at(kind), 333, 60);
  const auto random = counts(Companions({}, 3, 1), 7);
  EXPECT_EQ(random.at(2), 1000);
}

TEST(Companions, AreAFunctionOfSeedAndStep) {
  const Companions companions(kTwo, 3, 0.7), same(kTwo, 3, 0.7);
  std::size_t other_seed = 0, other_step = 0;
  for (std::int64_t step = 0; step < 200; ++step) {
    const auto draw = [&](const Companions& from, std::uint64_t seed, std::int64_t at) {
      const torch::Tensor rows = from.draw(kModel, seed, at);
      return rows.defined() ? rows.clone() : torch::full({1, 1}, -1.F);
    };
    const torch::Tensor rows = draw(companions, 3, step);
    EXPECT_TRUE(torch::equal(rows, draw(same, 3, step)));
    if (!torch::equal(rows, draw(companions, 4, step))) ++other_seed;
    if (!torch::equal(rows, draw(companions, 3, step + 1))) ++other_step;
  }
  // Two independent draws agree with probability .3^2 + 2 (.7 / 3)^2 = .2.
  EXPECT_GT(other_seed, 120u);
  EXPECT_GT(other_step, 120u);
}

TEST(Companions, OfTokensAreRowsOfTheTableAllOverTheVocabulary) {
  const Companions companions({}, 40, 1);
  const torch::Tensor rows = companions.draw(kModel, 1, 0);
  ASSERT_EQ(rows.size(0), 40);
  EXPECT_TRUE(torch::equal(rows, rows.floor()));
  EXPECT_GE(rows.min().item<float>(), 0);
  EXPECT_LT(rows.max().item<float>(), 50);
  EXPECT_FALSE(rows.requires_grad());
  double sum = 0;
  for (std::int64_t step = 0; step < 100; ++step) {
    sum += companions.draw(kModel, 1, step).mean().item<double>();
  }
  // Uniform over 0 to 49: mean 24.5, standard deviation 14.4 / sqrt(4,000) = .23.
  EXPECT_NEAR(sum / 100, 24.5, 1);
}

TEST(Companions, NoneIsNone) {
  EXPECT_TRUE(Companions().none());
  EXPECT_FALSE(Companions().draw(kModel, 0, 0).defined());
  EXPECT_FALSE(Companions({}, 3, 1).none());
  EXPECT_FALSE(Companions(kTwo, 0, 1).none());
}

}  // namespace
}  // namespace llmpatch
