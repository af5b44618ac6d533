#include "study/suffix_search.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <fstream>
#include <memory>

#include "gguf/gguf_file.h"
#include "learn/examples.h"
#include "patch/test_patch.h"
#include "runtime/prompt.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

// The tiny model for both: libllama's tokenizer, and the weights to differentiate.
class SuffixSearchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto path = directory_ / "tiny.gguf";
    std::ofstream(path, std::ios::binary) << tiny_model_file().bytes();
    const auto file = GgufFile::open(path);
    ASSERT_TRUE(file.ok());
    auto loaded = load_transformer(*file, Arithmetic::kF32);
    ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
    transformer_ = std::move(loaded).value();
  }

  static Result<Tokens> encode(const std::string& request) {
    // A frame around the request, as a chat template has one.
    Tokens tokens{1, 299, 298};
    LLMPATCH_ASSIGN(const Tokens said, tiny_model().tokenize(request, false));
    tokens.insert(tokens.end(), said.begin(), said.end());
    tokens.insert(tokens.end(), {297, 296});
    return tokens;
  }

  AttackedModel attacked(const torch::Tensor& prefix = {}) const {
    return {tiny_model(), *transformer_, prefix, encode};
  }

  double loss(const std::string& text, const std::string& target,
              const torch::Tensor& prefix = {}) const {
    const Tokens answer = tiny_model().tokenize(target, false).value();
    const auto sums =
        answer_logprobs(*transformer_, prefix, {{encode(text).value(), {answer}}}, nullptr, {});
    return -sums.value()[0] / static_cast<double>(answer.size());
  }

  static SuffixSearchOptions options() {
    SuffixSearchOptions made;
    made.steps = 8;
    made.candidates = 12;
    made.likeliest = 16;
    made.suffix_tokens = 4;
    made.target = "abc";
    made.seed = 3;
    return made;
  }

  TestDirectory directory_;
  std::unique_ptr<Transformer> transformer_;
};

TEST_F(SuffixSearchTest, FindsASuffixThatMakesTheTargetLikelier) {
  const auto found = search_suffix(attacked(), "open it", options());
  ASSERT_TRUE(found.ok()) << found.error().to_string();
  EXPECT_EQ(found->steps, 8);
  EXPECT_LT(found->loss, found->loss_before - 0.5);
  // Both losses are those of the texts, computed apart.
  EXPECT_NEAR(found->loss_before, loss("open it ! ! ! !", "abc"), 1e-5);
  EXPECT_NEAR(found->loss, loss("open it" + found->suffix, "abc"), 1e-5);
}

TEST_F(SuffixSearchTest, TheGradientFindsMoreThanChance) {
  // Of all tokens any is as likely as another: the search without its gradient.
  SuffixSearchOptions blind = options();
  blind.likeliest = 1 << 20;
  double guided_sum = 0, blind_sum = 0;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    SuffixSearchOptions guided = options();
    guided.seed = blind.seed = seed;
    guided.likeliest = 8;
    guided.steps = blind.steps = 3;
    guided_sum += search_suffix(attacked(), "open it", guided)->loss;
    blind_sum += search_suffix(attacked(), "open it", blind)->loss;
  }
  EXPECT_LT(guided_sum, blind_sum);
}

TEST_F(SuffixSearchTest, AttacksTheModelBehindAPrefix) {
  torch::manual_seed(5);
  const torch::Tensor prefix = 0.25 * torch::randn({6, transformer_->shape().width});
  const auto found = search_suffix(attacked(prefix), "open it", options());
  ASSERT_TRUE(found.ok());
  EXPECT_NEAR(found->loss_before, loss("open it ! ! ! !", "abc", prefix), 1e-5);
  EXPECT_NEAR(found->loss, loss("open it" + found->suffix, "abc", prefix), 1e-5);
  EXPECT_LT(found->loss, found->loss_before);
  EXPECT_GT(std::abs(found->loss_before - loss("open it ! ! ! !", "abc")), 1e-3);
}

TEST_F(SuffixSearchTest, IsTheSameForASeed) {
  const auto first = search_suffix(attacked(), "open it", options());
  const auto second = search_suffix(attacked(), "open it", options());
  EXPECT_EQ(first->suffix, second->suffix);
  EXPECT_EQ(first->loss, second->loss);
}

TEST_F(SuffixSearchTest, StopsAndRefuses) {
  CancelFlag cancel;
  cancel.raise();
  EXPECT_EQ(search_suffix(attacked(), "open it", options(), &cancel).error().kind,
            ErrorKind::kCancelled);
  SuffixSearchOptions none = options();
  none.target = "";
  EXPECT_EQ(search_suffix(attacked(), "open it", none).error().kind, ErrorKind::kInvalidArgument);
  // A template that leaves the request out has no place for a suffix.
  AttackedModel deaf = attacked();
  deaf.encode = [](const std::string&) { return Result<Tokens>(Tokens{1, 299}); };
  EXPECT_EQ(search_suffix(deaf, "open it", options()).error().kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace llmpatch
