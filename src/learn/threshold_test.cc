#include "learn/threshold.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace llmpatch {
namespace {

// A share that rises along a logistic curve, in steps of one prompt of `prompts`.
struct Curve {
  double at_zero, slope, prompts;
  std::vector<double> asked = {};
  Result<double> operator()(double by) {
    asked.push_back(by);
    const double share = 1 / (1 + std::exp(-(std::log(at_zero / (1 - at_zero)) + slope * by)));
    return std::round(share * prompts) / prompts;
  }
};

TEST(FindThreshold, StaysWhereTheShareIsAsAsked) {
  Curve curve{0.05, 1.5, 600};
  const auto moved = find_threshold(std::ref(curve), 0.05, 1.0 / 600, 5);
  ASSERT_TRUE(moved.ok());
  EXPECT_EQ(moved->by, 0);
  EXPECT_EQ(curve.asked.size(), 1U);
}

TEST(FindThreshold, ComesWithinAPromptInFewMeasurements) {
  for (const double start : {0.02, 0.04, 0.12, 0.3}) {
    for (const double slope : {0.8, 1.5, 3.0}) {
      Curve curve{start, slope, 600};
      const auto moved = find_threshold(std::ref(curve), 0.06, 1.0 / 600, 6);
      ASSERT_TRUE(moved.ok());
      EXPECT_NEAR(moved->over_refused, 0.06, 2.0 / 600) << start << " " << slope;
      EXPECT_EQ(moved->by > 0, start < 0.06);
    }
  }
}

TEST(FindThreshold, ReturnsTheNearestPlaceItMeasured) {
  std::vector<double> asked;
  const auto moved = find_threshold(
      [&](double by) -> Result<double> {
        asked.push_back(by);
        return by > 0.01 ? 0.2 : 0.04;  // a step: 0.06 is nowhere
      },
      0.06, 1e-3, 4);
  ASSERT_TRUE(moved.ok());
  EXPECT_EQ(asked.size(), 4U);
  EXPECT_EQ(moved->over_refused, 0.04);
}

TEST(FindThreshold, NeverMovesFar) {
  std::vector<double> asked;
  const auto moved = find_threshold(
      [&](double by) -> Result<double> {
        asked.push_back(by);
        return 0.0;
      },
      0.9, 1e-3, 5);
  ASSERT_TRUE(moved.ok());
  for (const double by : asked) EXPECT_LE(std::abs(by), 3);
}

TEST(FindThreshold, FailsAsTheMeasureDoes) {
  const auto moved = find_threshold(
      [](double) -> Result<double> { return make_error(ErrorKind::kCancelled, "test", "stop"); },
      0.05, 0, 3);
  ASSERT_FALSE(moved.ok());
  EXPECT_EQ(moved.error().kind, ErrorKind::kCancelled);
}

}  // namespace
}  // namespace llmpatch
