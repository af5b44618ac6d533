#include "eval/report_scale.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace llmpatch {
namespace {

constexpr double kNone = HUGE_VAL;

TEST(Scale, EndsOnRoundNumbers) {
  const std::vector<double> values{.23, .91};
  const Scale1d scale = scale_around(values, 0, 1);
  EXPECT_NEAR(scale.low, .2, 1e-12);
  EXPECT_NEAR(scale.high, 1, 1e-12);
  ASSERT_EQ(scale.ticks.size(), 5u);
  EXPECT_NEAR(scale.ticks[1], .4, 1e-12);
  EXPECT_NEAR(scale.at(.6), .5, 1e-12);
  EXPECT_EQ(scale.at(-3), 0);
  EXPECT_EQ(scale.at(7), 1);
  EXPECT_EQ(tick_text(scale, .4, true), "40");
}

TEST(Scale, AShareStaysWithinItsEnds) {
  const std::vector<double> values{.001, .02};
  const Scale1d scale = scale_around(values, 0, 1);
  EXPECT_GE(scale.low, 0);
  EXPECT_LE(scale.high, .03);
  EXPECT_EQ(tick_text(scale, scale.ticks[1], true), "0.5");
}

TEST(Scale, EverythingIsOneHundredPercent) {
  const std::vector<double> values{1, 1};
  const Scale1d scale = scale_around(values, 0, 1);
  EXPECT_EQ(scale.high, 1);
  EXPECT_LT(scale.low, 1);
}

// Whatever a hostile file holds: a finite axis of a few ticks that has room for a number.
TEST(Scale, HostileNumbers) {
  const double huge = std::numeric_limits<double>::max(), tiny = 5e-324;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const std::vector<double>& values : {std::vector<double>{},
                                            {nan},
                                            {kNone, -kNone},
                                            {huge},
                                            {-huge, huge},
                                            {0, 0},
                                            {tiny},
                                            {1e15, 1e15 + 1},
                                            {-1e-300, 1e-300},
                                            {1, 1 + 1e-15}}) {
    const Scale1d scale = scale_around(values, -kNone, kNone);
    EXPECT_TRUE(std::isfinite(scale.low) && std::isfinite(scale.high));
    EXPECT_LT(scale.low, scale.high);
    EXPECT_GE(scale.ticks.size(), 2u);
    EXPECT_LE(scale.ticks.size(), 10u);
    for (const double value : values) {
      EXPECT_GE(scale.at(value), 0);
      EXPECT_LE(scale.at(value), 1);
    }
    for (const double tick : scale.ticks) EXPECT_LT(tick_text(scale, tick, false).size(), 24u);
  }
}

TEST(SvgNumber, HasOneDigitAndNoMinusZero) {
  EXPECT_EQ(svg_number(12.345), "12.3");
  EXPECT_EQ(svg_number(-0.01), "0.0");
  EXPECT_EQ(svg_number(kNone), "0.0");
}

}  // namespace
}  // namespace llmpatch
