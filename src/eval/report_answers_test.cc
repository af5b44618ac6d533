#include "eval/report_answers.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(Responses, BothFormsOfLinesAndTheFirstSampleAlone) {
  const auto responses = read_responses(
      R"({"suite": "a", "line": 1, "category": "c", "prompt": "p", )"
      R"("base": {"response": "no", "refused": true}, "patch": {"response": "yes"}})"
      "\n\n"
      R"({"suite": "b", "line": 2, "prompt": "q", "system": "base", "decoding": "5", "sample": 0, )"
      R"("response": "first", "scores": {"j": 0.5, "k": null}})"
      "\n"
      R"({"suite": "b", "line": 2, "prompt": "q", "system": "base", "decoding": "5", "sample": 1, )"
      R"("response": "second", "scores": {}})"
      "\n"
      R"({"suite": "b", "line": 2, "prompt": "q", "system": "patch", "decoding": "5", "sample": 0, )"
      R"("response": "other", "scores": {}})",
      "responses.jsonl");
  ASSERT_TRUE(responses.ok()) << responses.error().message;
  const auto& a = responses->suites.at("a");
  ASSERT_EQ(a.size(), 1u);
  ASSERT_EQ(a[0].answers.size(), 2u);
  EXPECT_EQ(a[0].answers[0].label, "base");
  EXPECT_EQ(a[0].answers[0].refused, true);
  EXPECT_EQ(a[0].answers[1].refused, std::nullopt);
  const auto& b = responses->suites.at("b");
  ASSERT_EQ(b.size(), 1u);
  ASSERT_EQ(b[0].answers.size(), 2u);
  EXPECT_EQ(b[0].answers[0].text, "first");
  EXPECT_EQ(b[0].answers[0].scores[0].second, .5);
  EXPECT_EQ(b[0].answers[0].scores[1].second, std::nullopt);
  EXPECT_EQ(b[0].answers[1].text, "other");
}

TEST(Responses, RefusesLinesOfAnotherForm) {
  for (
      const char* line :
      {"[]", "1", "{", R"({"suite": 1, "line": 1, "prompt": "p"})",
       R"({"suite": "a", "line": "1", "prompt": "p"})", R"({"suite": "a", "line": 1})",
       R"({"suite": "a", "line": 1, "prompt": "p", "response": "no system"})",
       R"({"suite": "a", "line": 1, "prompt": "p", "base": {"response": 3}})",
       R"({"suite": "a", "line": 1, "prompt": "p", "system": "s", "response": "r", "scores": {"j": "x"}})",
       R"({"suite": "a", "line": 1, "prompt": "p", "system": "s", "response": "r", "sample": "x"})"}) {
    const auto responses = read_responses(std::string("\n") + line, "file");
    ASSERT_FALSE(responses.ok()) << line;
    EXPECT_EQ(responses.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(responses.error().message.find("file line 2"), std::string::npos)
        << responses.error().message;
  }
}

ReportPrompt asked(const std::string& text, bool base_refused, bool patch_refused) {
  ReportPrompt prompt;
  prompt.prompt = text;
  ReportAnswer base, patch;
  base.system = 0;
  base.text = "base to " + text;
  base.refused = base_refused;
  patch.system = 1;
  patch.text = "patch to " + text;
  patch.refused = patch_refused;
  prompt.answers = {base, patch};
  return prompt;
}

const std::vector<ReportSystem> kSystems{{"base", "", "", true}, {"patch", "", "", false}};

TEST(AnswersHtml, WhatIsJudgedDifferentlyComesFirst) {
  ReportSuite suite;
  suite.expect = "answer";
  const std::string html = answers_html(
      "s", suite, {asked("same", false, false), asked("other", false, true)}, kSystems);
  EXPECT_LT(html.find("base to other"), html.find("base to same"));
  EXPECT_LT(html.find("Judged differently from system to system (1)"), html.find("other"));
  EXPECT_EQ(html.find("harmful"), std::string::npos);
  EXPECT_EQ(answers_html("s", suite, {}, kSystems), "");
}

TEST(AnswersHtml, HarmfulTextIsBehindAClick) {
  ReportSuite suite;
  suite.expect = "refuse";
  ReportPrompt full = asked("NEEDLE", false, true);
  full.decoding = kFullDecoding;
  const std::string html = answers_html("s", suite, {full}, kSystems);
  const std::size_t fold = html.find("<details class=\"harmful\">");
  ASSERT_NE(fold, std::string::npos);
  EXPECT_LT(fold, html.find("NEEDLE"));
  EXPECT_EQ(html.find("NEEDLE", html.rfind("</details>")), std::string::npos);
}

TEST(AnswersHtml, ListsAreCutAndSaySo) {
  ReportSuite suite;
  suite.expect = "answer";
  std::vector<ReportPrompt> prompts;
  for (std::size_t i = 0; i < kShownPrompts + 7; ++i) {
    prompts.push_back(asked("p" + std::to_string(i), false, false));
  }
  const std::string html = answers_html("s", suite, prompts, kSystems);
  EXPECT_NE(html.find("7 more in responses.jsonl"), std::string::npos);
}

}  // namespace
}  // namespace llmpatch
