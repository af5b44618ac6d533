#include "learn/importance_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace llmpatch {
namespace {

TEST(Order, IsAPermutationOfEveryEpochAndAFunctionOfTheDraw) {
  Order order(10, 7), again(10, 7);
  const auto first = order.draws(0, 25);
  std::vector<int> seen(10);
  for (int i = 0; i < 10; ++i) ++seen[first[static_cast<std::size_t>(i)]];
  EXPECT_EQ(seen, std::vector<int>(10, 1));
  EXPECT_NE(std::vector<std::size_t>(first.begin(), first.begin() + 10),
            std::vector<std::size_t>(first.begin() + 10, first.begin() + 20));
  const auto tail = again.draws(17, 8);  // as after a resume
  EXPECT_TRUE(std::equal(tail.begin(), tail.end(), first.begin() + 17));
  EXPECT_TRUE(Order(0, 1).draws(0, 5).empty());
}

TEST(ImportanceSampler, TakesEveryExampleOfTheOrderWhereNothingIsPassedOver) {
  ImportanceSampler sampler(10, 7, 1);
  for (std::size_t i = 0; i < 10; ++i) sampler.found(i, 0);
  std::vector<std::size_t> drawn;
  for (int step = 0; step < 5; ++step) {
    for (const auto& draw : sampler.draw(3)) {
      drawn.push_back(draw.index);
      EXPECT_EQ(draw.weight, 1);
    }
  }
  EXPECT_EQ(drawn, Order(10, 7).draws(0, 15));
  EXPECT_TRUE(ImportanceSampler(0, 7, 1).draw(3).empty());
}

TEST(ImportanceSampler, TakesWhatItDoesNotKnowAndWhatIsHard) {
  ImportanceSampler sampler(8, 1, 0.01);
  sampler.found(3, 0.2);
  const auto draws = sampler.draw(8);
  std::vector<std::size_t> indices;
  for (const auto& draw : draws) {
    indices.push_back(draw.index);
    EXPECT_EQ(draw.weight, 1);
  }
  EXPECT_EQ(indices, Order(8, 1).draws(0, 8));
}

// A tenth of the examples is hard. The weighted mean of any value over the draws is its mean over
// all examples, and the hard ones are drawn far more often than once in ten.
TEST(ImportanceSampler, KeepsTheMeanAndDrawsTheHardOnes) {
  constexpr std::size_t kSize = 200;
  const auto hard = [](std::size_t index) { return index % 10 == 0; };
  const auto value = [&](std::size_t index) { return hard(index) ? 5.0 : 1.0; };
  ImportanceSampler sampler(kSize, 3, 0.1);
  for (std::size_t i = 0; i < kSize; ++i) sampler.found(i, hard(i) ? 0.5 : 0.001);
  double sum = 0, weights = 0;
  std::size_t hard_draws = 0, draws = 0;
  for (int step = 0; step < 2000; ++step) {
    for (const auto& draw : sampler.draw(10)) {
      sum += draw.weight * value(draw.index);
      weights += draw.weight;
      hard_draws += hard(draw.index) ? 1 : 0;
      ++draws;
    }
  }
  const auto count = static_cast<double>(draws);
  EXPECT_NEAR(weights / count, 1, 0.03);
  EXPECT_NEAR(sum / count, 1.4, 0.05);
  // Of a hundred walked through 10 hard ones and 9 of the 90 others are taken.
  EXPECT_NEAR(static_cast<double>(hard_draws) / count, 10.0 / 19, 0.02);
}

TEST(ImportanceSampler, GoesOnFromItsState) {
  const auto knowing = [] {
    ImportanceSampler sampler(50, 9, 0.2);
    for (std::size_t i = 0; i < 50; ++i) sampler.found(i, 0.004 * static_cast<double>(i));
    return sampler;
  };
  ImportanceSampler whole = knowing(), stopped = knowing(), resumed(50, 9, 0.2);
  (void)whole.draw(30);
  (void)stopped.draw(30);
  ASSERT_TRUE(resumed.restore(stopped.state()).ok());
  for (int step = 0; step < 20; ++step) {
    const auto expected = whole.draw(7), found = resumed.draw(7);
    ASSERT_EQ(expected.size(), found.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].index, expected[i].index);
      EXPECT_EQ(found[i].weight, expected[i].weight);
    }
  }
}

TEST(ImportanceSampler, RefusesAStateOfOtherData) {
  ImportanceSampler sampler(4, 9, 0.2);
  EXPECT_TRUE(sampler.restore(torch::Tensor()).ok());
  for (const torch::Tensor& state :
       {torch::ones({5}, torch::kDouble), torch::ones({6}), torch::ones({2, 3}, torch::kDouble),
        torch::full({6}, std::numeric_limits<double>::quiet_NaN(), torch::kDouble),
        torch::full({6}, -1.0, torch::kDouble)}) {
    const Status restored = sampler.restore(state);
    ASSERT_FALSE(restored.ok());
    EXPECT_EQ(restored.error().kind, ErrorKind::kCorrupt);
  }
}

}  // namespace
}  // namespace llmpatch
