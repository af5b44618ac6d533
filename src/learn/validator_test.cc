#include "learn/validator.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(MeanImprovement, IsTheShareOfWhatWasLeftToGain) {
  // Half of what the base model gets wrong, then three quarters.
  EXPECT_NEAR(mean_improvement({0.6, 0.95}, {0.2, 0.8}), (0.5 + 0.75) / 2, 1e-12);
  EXPECT_EQ(mean_improvement({0.2, 0.8}, {0.2, 0.8}), 0);
  EXPECT_EQ(mean_improvement({1, 1}, {0, 0.9}), 1);
}

TEST(MeanImprovement, IsNegativeWhereARiskGotWorse) {
  EXPECT_NEAR(mean_improvement({0.3}, {0.6}), -0.75, 1e-12);
  // Nothing is left to gain: .9 instead of 1 is as if .05 had been.
  EXPECT_NEAR(mean_improvement({0.9}, {1}), -2, 1e-12);
  EXPECT_NEAR(mean_improvement({1, 0.5}, {1, 0}), 0.25, 1e-12);
}

TEST(CheckpointScore, RanksAJointRunByItsRisksImprovement) {
  Validation found;
  found.over_refused = 0.1;
  found.divergence = 0.3;
  found.risks = {0.6, 0.95};
  found.refused = 0.775;
  EXPECT_NEAR(checkpoint_score(found, 0.1), 0.775 - 0.2 - 0.4, 1e-12);
  EXPECT_NEAR(checkpoint_score(found, {0.2, 0.8}, 0.1), 0.625 - 0.2 - 0.4, 1e-12);
}

// By the mean of the risks the first would win, with the second risk's collapse hidden in it.
TEST(CheckpointScore, DoesNotLetALargeRiskHideASmallOne) {
  Validation lopsided, even;
  lopsided.risks = {0.99, 0.7};
  even.risks = {0.8, 0.88};
  const std::vector<double> base{0.1, 0.8};
  EXPECT_GT(lopsided.risks[0] + lopsided.risks[1], even.risks[0] + even.risks[1]);
  EXPECT_LT(checkpoint_score(lopsided, base, 0.1), checkpoint_score(even, base, 0.1));
}

}  // namespace
}  // namespace llmpatch
