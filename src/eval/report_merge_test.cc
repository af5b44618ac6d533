#include "eval/report_merge.h"

#include <gtest/gtest.h>

#include "eval/test_card.h"

namespace llmpatch {
namespace {

ReportInput input(const std::string& name, const Json& card) {
  auto read = read_report_card(card, name);
  EXPECT_TRUE(read.ok()) << read.error().message;
  ReportInput out;
  out.name = name;
  out.card = std::move(*read);
  return out;
}

std::vector<std::string> labels(const Report& report) {
  std::vector<std::string> out;
  for (const auto& system : report.systems) out.push_back(system.label);
  return out;
}

TEST(Merge, SystemsOfOneLabelAndOtherDigestsCarryTheFolder) {
  const Report report = merge_reports(
      {input("first", made_up_card("patch", "d1")), input("second", made_up_card("patch", "d2"))});
  EXPECT_EQ(labels(report), (std::vector<std::string>{"base", "first/patch", "second/patch"}));
  ASSERT_EQ(report.suites.size(), 1u);
  const ReportMetric* refusal = report.suites[0].suite.find("refusal");
  ASSERT_EQ(refusal->rows.size(), 3u);  // the base once
  EXPECT_EQ(refusal->rows[2].system, 2u);
  ASSERT_EQ(report.suites[0].suite.comparisons.size(), 2u);
  EXPECT_EQ(report.suites[0].suite.comparisons[1].b, 2u);
  EXPECT_TRUE(report.warnings.empty());
}

TEST(Merge, TheSameSystemIsOne) {
  const Report report =
      merge_reports({input("first", made_up_card()), input("second", made_up_card())});
  EXPECT_EQ(labels(report), (std::vector<std::string>{"base", "patch"}));
  EXPECT_EQ(report.suites[0].suite.find("refusal")->rows.size(), 2u);
  EXPECT_EQ(report.suites[0].suite.comparisons.size(), 1u);
}

TEST(Merge, OtherFiguresOfTheSameSystemAreWarnedOf) {
  Json other = made_up_card();
  other["suites"][0]["systems"]["patch"]["refusal"]["value"] = .75;
  const Report report = merge_reports({input("first", made_up_card()), input("second", other)});
  EXPECT_EQ(report.suites[0].suite.find("refusal")->find(1)->value, 1);
  ASSERT_EQ(report.warnings.size(), 1u);
  EXPECT_NE(report.warnings[0].text.find("second measured a system again"), std::string::npos);
}

TEST(Merge, OtherPromptsKeepSuitesApart) {
  Json other = made_up_card();
  other["suites"][0]["prompts_sha256"] = "f00d";
  const Report report = merge_reports({input("first", made_up_card()), input("second", other)});
  ASSERT_EQ(report.suites.size(), 2u);
  EXPECT_EQ(report.suites[0].title, "harmful (first)");
  EXPECT_EQ(report.suites[1].title, "harmful (second)");
  EXPECT_EQ(report.warnings.size(), 2u);
}

TEST(Merge, OtherModelsAreOtherSystems) {
  const Report report = merge_reports({input("first", made_up_card("patch", "d", "m1")),
                                       input("second", made_up_card("patch", "d", "m2"))});
  EXPECT_EQ(labels(report),
            (std::vector<std::string>{"first/base", "first/patch", "second/base", "second/patch"}));
  ASSERT_EQ(report.warnings.size(), 1u);
  EXPECT_NE(report.warnings[0].text.find("different model files"), std::string::npos);
}

TEST(Merge, WarnsOfNotesAndOfFewerPrompts) {
  Json card = made_up_card();
  Json& systems = card["suites"][0]["systems"];
  systems["patch"]["notes"] = {"gld does not count: no mass"};
  systems["base"]["refusal"]["n"] = 3;
  const Report report = merge_reports({input("one", card)});
  ASSERT_EQ(report.warnings.size(), 2u);
  EXPECT_EQ(report.warnings[0].text, "harmful: patch: gld does not count: no mass");
  EXPECT_EQ(report.warnings[0].anchor, report.suites[0].anchor);
  EXPECT_EQ(report.warnings[1].text, "harmful: base was measured on 3 of 4 prompts");
}

TEST(Merge, AnswersOfOnePromptStandTogether) {
  const auto with_answer = [](const std::string& name, const std::string& digest,
                              const std::string& text) {
    ReportInput out = input(name, made_up_card("patch", digest));
    auto responses = read_responses(
        R"({"suite": "harmful", "line": 1, "prompt": "p", "base": {"response": "b"}, "patch": )"
        R"({"response": ")" +
            text + R"("}, "nobody": {"response": "n"}})",
        name);
    EXPECT_TRUE(responses.ok());
    out.responses = std::move(*responses);
    return out;
  };
  const Report report =
      merge_reports({with_answer("first", "d1", "one"), with_answer("second", "d2", "two")});
  ASSERT_EQ(report.suites[0].prompts.size(), 1u);
  const auto& answers = report.suites[0].prompts[0].answers;
  ASSERT_EQ(answers.size(), 3u);  // the base once, nobody left out
  EXPECT_EQ(answers[2].text, "two");
  EXPECT_EQ(answers[2].system, 2u);
}

}  // namespace
}  // namespace llmpatch
