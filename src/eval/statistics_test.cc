#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace llmpatch {
namespace {

constexpr double kZ2 = 3.841458820694124;  // the .95 quantile of chi-square with one degree

TEST(Wilson, PublishedExamples) {
  // Newcombe 1998, table I, method 3 (score without continuity correction), to four digits.
  struct Example {
    std::size_t count, n;
    double low, high;
  };
  for (const auto& [count, n, low, high] : {Example{81, 263, .2553, .3662},
                                            {15, 148, .0624, .1605},
                                            {0, 20, 0, .1611},
                                            {1, 29, .0061, .1718}}) {
    const Interval interval = wilson_interval(count, n);
    EXPECT_NEAR(interval.low, low, 5e-5) << count << "/" << n;
    EXPECT_NEAR(interval.high, high, 5e-5) << count << "/" << n;
  }
}

TEST(Wilson, ClosedFormsAtTheEnds) {
  // For 0 of n the upper end is z^2 / (n + z^2), and n of n mirrors it.
  for (const std::size_t n : {1u, 40u, 200u, 100000u}) {
    const double upper = kZ2 / (static_cast<double>(n) + kZ2);
    EXPECT_EQ(wilson_interval(0, n).low, 0);
    EXPECT_NEAR(wilson_interval(0, n).high, upper, 1e-12);
    EXPECT_NEAR(wilson_interval(n, n).low, 1 - upper, 1e-12);
    EXPECT_EQ(wilson_interval(n, n).high, 1);
  }
  EXPECT_EQ(wilson_interval(0, 0), (Interval{0, 1}));
}

TEST(Wilson, HalfIsSymmetric) {
  // p = 1/2: half width z / (2 sqrt(n + z^2)).
  const Interval interval = wilson_interval(50, 100);
  const double half = std::sqrt(kZ2) / (2 * std::sqrt(100 + kZ2));
  EXPECT_NEAR(interval.low, .5 - half, 1e-12);
  EXPECT_NEAR(interval.high, .5 + half, 1e-12);
}

TEST(ZeroEvents, RuleOfThree) {
  // n such that .95^n = .05: an upper limit of exactly 5 %.
  EXPECT_NEAR(zero_event_upper(1), .95, 1e-12);
  EXPECT_NEAR(zero_event_upper(120), .02465, 5e-5);
  EXPECT_NEAR(zero_event_upper(320), .00932, 5e-5);
  EXPECT_NEAR(std::pow(1 - zero_event_upper(77), 77), .05, 1e-12);
  EXPECT_EQ(zero_event_upper(0), 1);
}

TEST(McNemar, SmallTablesByHand) {
  EXPECT_EQ(mcnemar_exact_p(0, 0), 1);
  EXPECT_NEAR(mcnemar_exact_p(0, 5), 2.0 / 32, 1e-14);
  EXPECT_NEAR(mcnemar_exact_p(1, 9), 2.0 * (1 + 10) / 1024, 1e-14);
  EXPECT_NEAR(mcnemar_exact_p(2, 6), 2.0 * (1 + 8 + 28) / 256, 1e-14);
  EXPECT_EQ(mcnemar_exact_p(3, 3), 1);  // 2 P[X <= 3] is above 1
  EXPECT_EQ(mcnemar_exact_p(9, 1), mcnemar_exact_p(1, 9));
}

TEST(McNemar, ManyPairs) {
  // 0 against 186: 2^-185, beyond what factorials could hold.
  EXPECT_NEAR(std::log2(mcnemar_exact_p(0, 186)), -185, 1e-9);
  // 1 against 199: 2 (1 + 200) / 2^200.
  EXPECT_NEAR(std::log2(mcnemar_exact_p(1, 199)), std::log2(201) - 199, 1e-9);
  // 5000 against 5200: the normal approximation with continuity correction, z = 199/sqrt(10200).
  const double z = 199 / std::sqrt(10200.0);
  EXPECT_NEAR(mcnemar_exact_p(5000, 5200), std::erfc(z / std::sqrt(2.0)), 2e-4);
}

TEST(Bootstrap, ConstantValuesHaveNoWidth) {
  const std::vector<double> values(7, 2.5);
  const Estimate estimate = bootstrap_mean(values, 1);
  EXPECT_EQ(estimate.value, 2.5);
  EXPECT_EQ(estimate.interval, (Interval{2.5, 2.5}));
  EXPECT_EQ(estimate.n, 7u);
}

TEST(Bootstrap, TwoValues) {
  // Resampled means are 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4: both tails hold an end.
  const Estimate estimate = bootstrap_mean(std::vector<double>{0, 1}, 1);
  EXPECT_EQ(estimate.value, .5);
  EXPECT_EQ(estimate.interval, (Interval{0, 1}));
}

TEST(Bootstrap, AgreesWithTheNormalLimit) {
  // 200 zeros and 200 ones: the resampled mean is Bin(400, 1/2) / 400, sd .025. Its 2.5 % and 97.5
  // % points are 180/400 and 220/400 (P[X <= 179] = .0201, P[X <= 180] = .0255); the quantile of
  // 10,000 resamples may fall one step beside.
  std::vector<double> values(400, 0);
  std::fill(values.begin(), values.begin() + 200, 1);
  const Estimate estimate = bootstrap_mean(values, 7);
  EXPECT_NEAR(estimate.interval.low, .45, .00251);
  EXPECT_NEAR(estimate.interval.high, .55, .00251);
}

TEST(Bootstrap, SeedDecidesTheDraws) {
  const std::vector<double> values{.1, .9, .4, .3, .75, .2, .05, .6};
  const Estimate first = bootstrap_mean(values, 1, 500);
  EXPECT_EQ(first.interval, bootstrap_mean(values, 1, 500).interval);
  EXPECT_NE(first.interval, bootstrap_mean(values, 2, 500).interval);
}

TEST(Bootstrap, NoValues) {
  const Estimate estimate = bootstrap_mean({}, 1);
  EXPECT_EQ(estimate.n, 0u);
  EXPECT_EQ(estimate.value, 0);
}

TEST(ClusterBootstrap, RatioOfSumsKeepsClustersWhole) {
  // Two clusters with 1 hit of 2 and 3 of 4: 4/6, and the resamples are 1/2, 4/6 and 3/4 with
  // probabilities 1/4, 1/2, 1/4, so that both tails hold an end.
  const std::vector<double> hits{1, 3}, trials{2, 4};
  const Estimate estimate = cluster_bootstrap(2, 1, [&](std::span<const std::uint32_t> clusters) {
    double hit = 0, all = 0;
    for (const auto i : clusters) {
      hit += hits[i];
      all += trials[i];
    }
    return hit / all;
  });
  EXPECT_NEAR(estimate.value, 4.0 / 6, 1e-15);
  EXPECT_EQ(estimate.interval, (Interval{.5, .75}));
  EXPECT_EQ(estimate.n, 2u);
}

TEST(ClusterBootstrap, LeavesOutWhatIsNotFinite) {
  // 1/x over {0, 1}: a resample of zeros alone has no value; the others are 1/(1/2) and 1/1.
  const std::vector<double> values{0, 1};
  const Estimate estimate = cluster_bootstrap(2, 1, [&](std::span<const std::uint32_t> clusters) {
    return 2 / (values[clusters[0]] + values[clusters[1]]);
  });
  EXPECT_EQ(estimate.interval, (Interval{1, 2}));
  const Estimate none = cluster_bootstrap(0, 1, [](auto) { return 3.0; });
  EXPECT_EQ(none.interval, (Interval{3, 3}));
}

TEST(Median, OddEvenAndNone) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median({}), 0);
}

TEST(Holm, StepDownByHand) {
  // Holm 1979: sorted .005, .01, .03, .04 times 4, 3, 2, 1 is .02, .03, .06, .04; the last may not
  // fall below the one before it.
  const std::vector<double> p{.01, .04, .03, .005};
  const std::vector<double> expected{.03, .06, .06, .02};
  const auto adjusted = holm_adjusted(p);
  ASSERT_EQ(adjusted.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-15) << i;
  EXPECT_EQ(holm_adjusted(std::vector<double>{.7, .9}), (std::vector<double>{1, 1}));
  EXPECT_EQ(holm_adjusted(std::vector<double>{.2}), (std::vector<double>{.2}));
  EXPECT_TRUE(holm_adjusted({}).empty());
}

TEST(BootstrapGeometric, MeanOfLogs) {
  // sqrt(2 * 8) = 4; the ends are the values themselves, as with two values above.
  const Estimate estimate = bootstrap_geometric_mean(std::vector<double>{2, 8}, 1);
  EXPECT_NEAR(estimate.value, 4, 1e-12);
  EXPECT_NEAR(estimate.interval.low, 2, 1e-12);
  EXPECT_NEAR(estimate.interval.high, 8, 1e-12);
}

}  // namespace
}  // namespace llmpatch
