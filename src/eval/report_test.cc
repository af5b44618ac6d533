#include "eval/report.h"

#include <gtest/gtest.h>

#include "eval/report_charts.h"
#include "eval/test_result.h"

namespace llmpatch {
namespace {

std::vector<JsonLine> metrics(const std::vector<std::string>& lines) {
  std::vector<JsonLine> out;
  for (const auto& line : lines) out.push_back({out.size() + 1, Json::parse(line)});
  return out;
}

// The page without the embedded library, in which anything may stand.
std::string own_part(const std::string& page) {
  const std::size_t start = page.find("/*!\n * Chart.js");
  EXPECT_NE(start, std::string::npos);
  const std::size_t end = page.find("</script>", start);
  return page.substr(0, start) + page.substr(end);
}

TEST(Report, HostileTextIsNeverMarkup) {
  const std::string hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
  const std::string page =
      own_part(report_html(made_up_result(hostile),
                           metrics({R"({"step": 1, "stage": "</script>", "</script><b>": 2})"})));
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_EQ(page.find("</script><b>"), std::string::npos);
  EXPECT_NE(page.find("&lt;img src=x onerror=alert(1)&gt;"), std::string::npos);
  // Exactly the three scripts of ours: data, library, page.
  std::size_t scripts = 0;
  for (std::size_t at = page.find("<script"); at != std::string::npos;
       at = page.find("<script", at + 1)) {
    ++scripts;
  }
  EXPECT_EQ(scripts, 3u);
}

TEST(Report, AsksNothingOfTheOutside) {
  const std::string page = own_part(report_html(made_up_result("text"), {}));
  EXPECT_EQ(page.find(" src="), std::string::npos);
  EXPECT_EQ(page.find(" href="), std::string::npos);
  EXPECT_EQ(page.find("url("), std::string::npos);
  EXPECT_EQ(page.find("@import"), std::string::npos);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
}

TEST(Report, HarmfulAnswersAreFoldedAway) {
  const std::string page = own_part(report_html(made_up_result("NEEDLE"), {}));
  const std::size_t answers = page.find("<h2>Answers: harmful");
  ASSERT_NE(answers, std::string::npos);
  const std::size_t fold = page.find("<details>", answers);
  EXPECT_LT(fold, page.find("NEEDLE", answers));
  EXPECT_EQ(page.substr(answers, fold - answers).find("<div"), std::string::npos);
}

TEST(Report, TheSameResultGivesTheSameBytes) {
  EXPECT_EQ(report_html(made_up_result("text"), {}), report_html(made_up_result("text"), {}));
}

TEST(LearningCurves, GroupsByNameAndLeavesGaps) {
  const auto curves = learning_curves(metrics({
      R"({"stage": "sft", "step": 1, "loss": 3.5})",
      R"({"stage": "sft", "step": 1, "validation/refused": 0.5})",
      R"({"stage": "dpo", "step": 1, "loss": 2, "rewards/margins": 1, "rewards/chosen": -1})",
  }));
  ASSERT_EQ(curves.size(), 3u);
  EXPECT_EQ(curves[0].title, "loss");
  EXPECT_EQ(curves[0].json["labels"], OrderedJson({"sft 1", "dpo 1"}));
  EXPECT_EQ(curves[0].json["series"][0]["values"], OrderedJson({3.5, 2.0}));
  EXPECT_EQ(curves[1].title, "rewards");
  EXPECT_EQ(curves[1].json["series"][1]["name"], "rewards/margins");
  EXPECT_EQ(curves[1].json["series"][1]["values"], OrderedJson({nullptr, 1.0}));
  EXPECT_EQ(curves[2].title, "validation");
  EXPECT_EQ(curves[2].json["series"][0]["values"], OrderedJson({0.5, nullptr}));
}

}  // namespace
}  // namespace llmpatch
