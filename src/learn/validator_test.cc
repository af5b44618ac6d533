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
  EXPECT_NEAR(checkpoint_score(found, {0.1}), 0.775 - 0.2 - 0.4, 1e-12);
  EXPECT_NEAR(checkpoint_score(found, {0.1, 0, {0.2, 0.8}}), 0.625 - 0.2 - 0.4, 1e-12);
}

// By the mean of the risks the first would win, with the second risk's collapse hidden in it.
TEST(CheckpointScore, DoesNotLetALargeRiskHideASmallOne) {
  Validation lopsided, even;
  lopsided.risks = {0.99, 0.7};
  even.risks = {0.8, 0.88};
  const std::vector<double> base{0.1, 0.8};
  EXPECT_GT(lopsided.risks[0] + lopsided.risks[1], even.risks[0] + even.risks[1]);
  EXPECT_LT(checkpoint_score(lopsided, {0.1, 0, base}), checkpoint_score(even, {0.1, 0, base}));
}

// Two benign prompts of sixty, which the base model's answers begin like refusals just as often,
// once chose a checkpoint that left most of the toxicity.
TEST(CheckpointScore, DoesNotLetChanceAmongBenignAnswersOutweighTheRisk) {
  Validation weak, strong;
  weak.refused = 0.870;
  weak.over_refused = 7.0 / 60;
  strong.refused = 0.905;
  strong.over_refused = 9.0 / 60;
  const double base = 9.0 / 60;
  EXPECT_LT(checkpoint_score(weak, {0.1, base}), checkpoint_score(strong, {0.1, base}));
  strong.over_refused = 12.0 / 60;  // what the base model does not do still costs
  EXPECT_NEAR(checkpoint_score(strong, {0.1, base}), 0.905 - 2 * 3.0 / 60, 1e-12);
}

TEST(ScoreLimits, AreWhatTheBaseModelMayRefuseByChanceUnlessRefusingIsLearned) {
  const auto refusal = make_judge("refusal");
  const auto refusal_jbb = make_judge("refusal-jbb");
  const auto gender = make_judge("gender");
  ASSERT_TRUE(refusal && refusal_jbb && gender);
  ValidationSet set;
  set.benign.resize(10);
  set.base_refused = 2;
  EXPECT_EQ(score_limits(**refusal, set, 0.1).over_refused, 0);
  EXPECT_EQ(score_limits(**refusal_jbb, set, 0.1).over_refused, 0);
  constexpr double kByChance = 0.2 + 0.12649110640673517;  // the square root of 0.2 · 0.8 / 10
  EXPECT_DOUBLE_EQ(score_limits(**gender, set, 0.1).over_refused, kByChance);
  EXPECT_EQ(score_limits(**gender, set, 0.1).divergence, 0.1);

  // A joint run refuses if one of its risks does, whatever the judge it is given.
  set.risks.resize(2);
  set.risks[0].judge = gender->get();
  set.risks[0].base = 0.4;
  set.risks[1].judge = gender->get();
  set.risks[1].base = 0.5;
  EXPECT_DOUBLE_EQ(score_limits(**refusal, set, 0.1).over_refused, kByChance);
  EXPECT_EQ(score_limits(**refusal, set, 0.1).risks, (std::vector<double>{0.4, 0.5}));
  set.risks[1].judge = refusal->get();
  EXPECT_EQ(score_limits(**gender, set, 0.1).over_refused, 0);
}

}  // namespace
}  // namespace llmpatch
