#include "eval/metric.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace llmpatch {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

TEST(Summarise, ShareIsAProportionWithWilsonsInterval) {
  const Figure figure = summarise({"m", Scale::kShare, {1, 0, 1, 1, kNone}}, 1);
  EXPECT_EQ(figure.count, 3u);
  EXPECT_EQ(figure.estimate.n, 4u);
  EXPECT_EQ(figure.estimate.value, .75);
  EXPECT_EQ(figure.estimate.interval, wilson_interval(3, 4));
  EXPECT_FALSE(figure.zero_upper.has_value());
}

TEST(Summarise, NothingSeenHasItsUpperLimit) {
  // 1 - .05^(1/2).
  const double upper = 1 - std::sqrt(.05);
  const Figure share = summarise({"m", Scale::kShare, {0, 0}}, 1);
  EXPECT_NEAR(share.zero_upper.value(), upper, 1e-15);
  const Figure rate = summarise({"m", Scale::kRate, {0, 0}}, 1);
  EXPECT_NEAR(rate.zero_upper.value(), upper, 1e-15);
  EXPECT_NEAR(rate.estimate.interval.high, upper, 1e-15);
  EXPECT_EQ(rate.estimate.interval.low, 0);
  const Figure always = summarise({"m", Scale::kRate, {1, 1}}, 1);
  EXPECT_NEAR(always.estimate.interval.low, 1 - upper, 1e-15);
  EXPECT_FALSE(summarise({"m", Scale::kMean, {0, 0}}, 1).zero_upper.has_value());
}

TEST(Summarise, EveryScale) {
  EXPECT_EQ(summarise({"m", Scale::kRate, {.2, .4}}, 1).estimate.value, (.2 + .4) / 2);
  EXPECT_EQ(summarise({"m", Scale::kMean, {-1, 4}}, 1).estimate.value, 1.5);
  EXPECT_NEAR(summarise({"m", Scale::kGeometric, {2, 8}}, 1).estimate.value, 4, 1e-12);
  EXPECT_EQ(summarise({"m", Scale::kMedian, {9, 1, 2}}, 1).estimate.value, 2);
  EXPECT_EQ(summarise({"m", Scale::kMean, {}}, 1).estimate.n, 0u);
}

TEST(Compare, SharesArePairedByPrompt) {
  const Metric a{"m", Scale::kShare, {1, 1, 1, 0, 1, kNone}};
  const Metric b{"m", Scale::kShare, {0, 0, 1, 1, 0, 1}};
  const MetricComparison comparison = compare(a, b, 1);
  EXPECT_EQ(comparison.n, 5u);
  EXPECT_EQ(comparison.only_a, 3u);
  EXPECT_EQ(comparison.only_b, 1u);
  EXPECT_NEAR(comparison.p.value(), 2.0 * (1 + 4) / 16, 1e-14);
  EXPECT_NEAR(comparison.difference.value, .4 - .8, 1e-15);
  EXPECT_NEAR(comparison.ratio.value, .5, 1e-15);
}

TEST(Compare, ConstantShiftHasNoWidth) {
  // What differs between prompts but not between systems drops out of a paired difference.
  const MetricComparison comparison =
      compare({"m", Scale::kMean, {1, 5, 9}}, {"m", Scale::kMean, {.5, 4.5, 8.5}}, 3);
  EXPECT_NEAR(comparison.difference.interval.low, -.5, 1e-12);
  EXPECT_NEAR(comparison.difference.interval.high, -.5, 1e-12);
  EXPECT_FALSE(comparison.p.has_value());
  const MetricComparison halved =
      compare({"m", Scale::kGeometric, {2, 8}}, {"m", Scale::kGeometric, {1, 4}}, 3);
  EXPECT_NEAR(halved.ratio.interval.low, .5, 1e-12);
  EXPECT_NEAR(halved.ratio.interval.high, .5, 1e-12);
}

TEST(Compare, NoRatioToNothing) {
  const MetricComparison comparison =
      compare({"m", Scale::kRate, {0, 0}}, {"m", Scale::kRate, {0, 1}}, 1);
  EXPECT_EQ(comparison.ratio.n, 0u);
  EXPECT_EQ(comparison.difference.value, .5);
}

TEST(ShareRecovered, OfTheReferencesImprovement) {
  // The patch goes three quarters of the way on every prompt.
  const Metric base{"m", Scale::kMean, {.8, .6}}, reference{"m", Scale::kMean, {.4, .2}};
  const Estimate share = share_recovered(base, {"m", Scale::kMean, {.5, .3}}, reference, 1);
  EXPECT_NEAR(share.value, .75, 1e-12);
  EXPECT_NEAR(share.interval.low, .75, 1e-12);
  EXPECT_NEAR(share.interval.high, .75, 1e-12);
  EXPECT_EQ(share_recovered(base, base, base, 1).n, 0u);
}

}  // namespace
}  // namespace llmpatch
