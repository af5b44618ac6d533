#include "eval/report_curves.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

std::vector<JsonLine> metrics(const std::vector<std::string>& lines) {
  std::vector<JsonLine> out;
  for (const auto& line : lines) out.push_back({out.size() + 1, Json::parse(line)});
  return out;
}

using Values = std::vector<std::optional<double>>;

TEST(LearningCurves, GroupsByNameAndLeavesGaps) {
  const auto curves = learning_curves(metrics({
      R"({"stage": "sft", "step": 1, "loss": 3.5})",
      R"({"stage": "sft", "step": 1, "validation/refused": 0.5})",
      R"({"stage": "dpo", "step": 1, "loss": 2, "rewards/margins": 1, "rewards/chosen": -1})",
  }));
  ASSERT_EQ(curves.size(), 3u);
  EXPECT_EQ(curves[0].title, "loss");
  EXPECT_EQ(curves[0].steps, (std::vector<std::string>{"1", "1"}));
  ASSERT_EQ(curves[0].stages.size(), 2u);
  EXPECT_EQ(curves[0].stages[1], (std::pair<std::size_t, std::string>{1, "dpo"}));
  EXPECT_EQ(curves[0].series[0].values, (Values{3.5, 2.0}));
  EXPECT_EQ(curves[1].title, "rewards");
  EXPECT_EQ(curves[1].series[1].name, "rewards/margins");
  EXPECT_EQ(curves[1].series[1].values, (Values{std::nullopt, 1.0}));
  EXPECT_EQ(curves[2].title, "validation");
  EXPECT_EQ(curves[2].series[0].values, (Values{0.5, std::nullopt}));
}

TEST(LearningCurves, TheTableHasFirstLastLowestAndHighest) {
  const std::string html = curves_html({{"run", learning_curves(metrics({
                                                    R"({"step": 1, "loss": 3})",
                                                    R"({"step": 2, "loss": 1})",
                                                    R"({"step": 3, "loss": 2})",
                                                }))}});
  EXPECT_NE(html.find("<td>3.00</td><td>2.00</td><td>1.00</td><td>3.00</td><td>3</td>"),
            std::string::npos)
      << html;
  EXPECT_NE(html.find("<polyline"), std::string::npos);
  EXPECT_EQ(curves_html({{"run", {}}}), "");
}

TEST(LearningCurves, LongRunsAreThinnedOut) {
  std::vector<std::string> lines;
  for (int i = 0; i < 5000; ++i) {
    lines.push_back(R"({"stage": "sft", "step": )" + std::to_string(i) + R"(, "loss": 1})");
  }
  const std::string html = curves_html({{"", learning_curves(metrics(lines))}});
  EXPECT_LT(html.size(), 20000u);  // 400 points of a dozen bytes, and the frame
  EXPECT_NE(html.find("<td>5000</td>"), std::string::npos);
}

TEST(LearningCurves, HostileNames) {
  const std::string html = curves_html({{"<b>", learning_curves(metrics({
                                                    R"({"stage": "<i>", "step": 1, "<u>/x": 2})",
                                                    R"({"stage": "\"", "step": 1e300, "<u>/x": 2})",
                                                }))}});
  for (const char* markup : {"<b>", "<i>", "<u>"}) EXPECT_EQ(html.find(markup), std::string::npos);
}

}  // namespace
}  // namespace llmpatch
