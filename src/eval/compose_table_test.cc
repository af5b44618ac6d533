#include "eval/compose_table.h"

#include <gtest/gtest.h>

#include "eval/test_compose_table.h"

namespace llmpatch {
namespace {

TEST(ComposeTable, FindsMetricsAndLonePatches) {
  const ComposeTable table = known_table();
  ASSERT_NE(table.find({"bias", "j.flagged"}), nullptr);
  EXPECT_EQ(table.find({"bias", "j.flagged"})->base_figure.count, 50u);
  EXPECT_EQ(table.find({"bias", "refused"}), nullptr);
  EXPECT_EQ(table.alone(0), 0u);
  EXPECT_EQ(table.alone(1), 1u);
  EXPECT_EQ(table.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(table.metrics[0].mode_figures.at(2).count, 70u);
}

TEST(Improvement, IsAboveZeroWhereItIsBetter) {
  const Metric base = share("m", 30), changed = share("m", 10);
  const Estimate less = improvement(base, changed, false, 1);
  EXPECT_NEAR(less.value, .2, 1e-12);
  EXPECT_GT(less.interval.low, 0);  // 20 prompts changed to the better, none to the worse
  EXPECT_LT(less.interval.low, less.interval.high);
  const Estimate more = improvement(base, changed, true, 1);
  EXPECT_NEAR(more.value, -.2, 1e-12);
  EXPECT_EQ(more.interval.low, -less.interval.high);
  EXPECT_EQ(more.interval.high, -less.interval.low);
}

}  // namespace
}  // namespace llmpatch
