#include "eval/report_card.h"

#include <gtest/gtest.h>

#include "eval/test_card.h"

namespace llmpatch {
namespace {

Result<ReportCard> read(const Json& card) { return read_report_card(card, "eval.json"); }

// The message with which a card that `change` spoils is refused.
template <class Change>
std::string refused(ErrorKind kind, const Change& change) {
  Json card = made_up_card();
  change(card);
  const auto result = read(card);
  EXPECT_FALSE(result.ok());
  if (result.ok()) return "";
  EXPECT_EQ(result.error().kind, kind) << result.error().message;
  return result.error().message;
}

TEST(ReportCard, ReadsSystemsFiguresAndComparisons) {
  const auto card = read(made_up_card());
  ASSERT_TRUE(card.ok()) << card.error().message;
  ASSERT_EQ(card->systems.size(), 2u);
  EXPECT_EQ(card->systems[0].label, "base");
  EXPECT_TRUE(card->systems[0].base);
  EXPECT_FALSE(card->systems[1].base);
  ASSERT_EQ(card->suites.size(), 1u);
  const ReportSuite& suite = card->suites[0];
  EXPECT_TRUE(suite.harmful());
  const ReportMetric* refusal = suite.find("refusal");
  ASSERT_NE(refusal, nullptr);
  ASSERT_NE(refusal->find(0), nullptr);
  EXPECT_EQ(refusal->find(0)->value, .25);
  EXPECT_EQ(refusal->find(0)->low, .05);
  EXPECT_EQ(refusal->find(0)->high, .7);
  EXPECT_EQ(refusal->find(0)->n, 4u);
  EXPECT_EQ(refusal->find(0)->count, 1u);
  ASSERT_EQ(suite.comparisons.size(), 1u);
  EXPECT_EQ(suite.comparisons[0].metric, "refusal");  // old cards name none
  EXPECT_EQ(suite.comparisons[0].only_b, 3u);
  EXPECT_EQ(suite.headline, std::vector<std::string>{"refusal"});
}

TEST(ReportCard, KeepsTheOrderOfTheHeadlineNotOfTheAlphabet) {
  Json card = made_up_card("a patch");
  auto result = read(card);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->systems[0].label, "base");
  EXPECT_EQ(result->systems[1].label, "a patch");
  // A list of systems wins.
  card["systems"] = {{{"label", "a patch"}, {"patches", Json::array()}}, {{"label", "base"}}};
  result = read(card);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->systems[0].label, "a patch");
}

TEST(ReportCard, AnyNumberOfSystems) {
  Json card = made_up_card();
  Json& systems = card["suites"][0]["systems"];
  for (int i = 0; i < 20; ++i) systems["system " + std::to_string(i)] = systems["patch"];
  const auto result = read(card);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->systems.size(), 22u);
  EXPECT_EQ(result->suites[0].find("refusal")->rows.size(), 22u);
}

TEST(ReportCard, FurtherSystemsHaveRecords) {
  Json card = made_up_card();
  Json& suite = card["suites"][0];
  suite["systems"]["lora"] = suite["systems"]["patch"];
  suite["recovered"] = {{"refusal", card_figure(.5, .4, .6, 4)}};
  suite["recovered_by_system"] = {{"patch", {{"refusal", card_figure(.5, .4, .6, 4)}}},
                                  {"lora", {{"refusal", card_figure(.7, .6, .8, 4)}}}};
  card["systems"] = {{{"label", "base"}},
                     {{"label", "lora"},
                      {"model", {{"file", "m.gguf"}, {"sha256", std::string(64, 'a')}}},
                      {"lora", {{{"file", "a.gguf"}, {"scale", .5}}}}}};
  const auto result = read(card);
  ASSERT_TRUE(result.ok()) << result.error().message;
  ASSERT_EQ(result->systems.size(), 3u);
  EXPECT_EQ(result->systems[1].label, "lora");
  EXPECT_EQ(result->systems[1].what, "lora: a.gguf, scale 0.5, model: m.gguf, sha256 aaaaaaaaaaaa");
  ASSERT_EQ(result->suites[0].recovered.size(), 1u);
  EXPECT_EQ(result->suites[0].recovered[0].find(1)->value, .7);
  EXPECT_EQ(result->suites[0].recovered[0].find(2)->value, .5);
}

TEST(ReportCard, SideEffectsNameTheirSystemInTheirKey) {
  Json card = made_up_card();
  card["suites"][0]["side_effects"] = {{"kl", card_figure(.1, 0, .2, 4)},
                                       {"kl_first_tokens", 8},
                                       {"perplexity_base", card_figure(2, 1, 3, 4)},
                                       {"perplexity_patch", card_figure(4, 3, 5, 4)}};
  card["timing"] = {{"rounds", 3},
                    {"tokens_per_second",
                     {{"base", card_figure(9, 8, 10, 3)}, {"ratio", card_figure(1, .9, 1.1, 3)}}}};
  const auto result = read(card);
  ASSERT_TRUE(result.ok()) << result.error().message;
  const auto& effects = result->suites[0].side_effects;
  ASSERT_EQ(effects.size(), 2u);
  EXPECT_EQ(effects[0].name, "kl");
  EXPECT_EQ(effects[0].rows[0].system, 1u);  // the patch's
  EXPECT_EQ(effects[1].name, "perplexity");
  EXPECT_EQ(effects[1].find(0)->value, 2);
  EXPECT_EQ(effects[1].find(1)->value, 4);
  ASSERT_EQ(result->extras.size(), 1u);
  EXPECT_EQ(result->extras[0].note, "rounds 3");
  ASSERT_EQ(result->extras[0].metrics.size(), 2u);
  EXPECT_EQ(result->extras[0].metrics[1].name, "tokens_per_second ratio");
}

TEST(ReportCard, WhatIsNotFiniteHasNoPrompts) {
  Json card = made_up_card();
  card["suites"][0]["systems"]["base"]["refusal"]["high"] = nullptr;
  const auto result = read(card);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->suites[0].find("refusal")->find(0)->n, 0u);
}

TEST(ReportCard, RefusesWhatIsNoCard) {
  EXPECT_FALSE(read(Json("text")).ok());
  EXPECT_FALSE(read(Json::array()).ok());
  EXPECT_NE(refused(ErrorKind::kUnsupported, [](Json& c) { c["schema"] = "llmpatch.eval/9"; })
                .find("schema: found \"llmpatch.eval/9\""),
            std::string::npos);
  refused(ErrorKind::kUnsupported, [](Json& c) { c.erase("schema"); });
  refused(ErrorKind::kCorrupt, [](Json& c) { c["suites"] = 3; });
  refused(ErrorKind::kCorrupt, [](Json& c) { c["suites"][0] = "x"; });
  refused(ErrorKind::kCorrupt, [](Json& c) { c["suites"].push_back(c["suites"][0]); });
  refused(ErrorKind::kCorrupt, [](Json& c) { c["suites"][0]["n"] = -1; });
  refused(ErrorKind::kCorrupt, [](Json& c) { c["suites"][0]["n"] = 1.5; });
  refused(ErrorKind::kCorrupt, [](Json& c) { c["suites"][0]["systems"] = Json::array(); });
  refused(ErrorKind::kCorrupt, [](Json& c) { c["suites"][0]["systems"]["base"] = 1; });
  refused(ErrorKind::kCorrupt, [](Json& c) { c["suites"][0]["systems"]["base"]["notes"] = "x"; });
  refused(ErrorKind::kCorrupt, [](Json& c) {
    c["suites"][0]["systems"]["base"]["by_category"] = {{"a", 1}};
  });
  refused(ErrorKind::kCorrupt, [](Json& c) { c["suites"][0]["comparisons"][0]["b"] = "nobody"; });
  refused(ErrorKind::kCorrupt, [](Json& c) { c["suites"][0]["side_effects"] = 7; });
  refused(ErrorKind::kCorrupt, [](Json& c) { c["timing"] = "long"; });
}

TEST(ReportCard, SaysWhereAFigureIsWrong) {
  const std::string message = refused(ErrorKind::kCorrupt, [](Json& card) {
    card["suites"][0]["systems"]["base"]["refusal"]["low"] = "none";
  });
  EXPECT_EQ(message,
            "eval.json: suites[0].systems.base.refusal.low: found string, expected a number");
  refused(ErrorKind::kCorrupt,
          [](Json& c) { c["suites"][0]["systems"]["base"]["refusal"]["low"] = .9; });
}

TEST(ReportCard, MessagesHoldNoKeyAsItIs) {
  const std::string message = refused(ErrorKind::kCorrupt, [](Json& card) {
    card["suites"][0]["systems"]["base"]["\x1B[31m"] = {{"value", 1}, {"n", -1}};
  });
  EXPECT_EQ(message.find('\x1B'), std::string::npos);
  EXPECT_NE(message.find("u001b[31m"), std::string::npos) << message;
}

TEST(ReportCard, RefusesNamesOfSystemsThatAreNoLabels) {
  const auto name = [](const std::string& label) {
    return [label](Json& card) { card["suites"][0]["systems"][label] = Json::object(); };
  };
  refused(ErrorKind::kCorrupt, name(""));
  refused(ErrorKind::kCorrupt, name("a\nb"));
  refused(ErrorKind::kCorrupt, name("\x1B[31m"));
  refused(ErrorKind::kCorrupt, name(std::string(65, 'x')));
  EXPECT_TRUE(is_system_label(std::string(64, 'x')));
  EXPECT_TRUE(is_system_label("</script><b>"));  // printable: shown, escaped
}

TEST(ReportCard, HasLimits) {
  refused(ErrorKind::kLimit, [](Json& card) {
    for (std::size_t i = 0; i < kMaxReportSystems; ++i) {
      card["suites"][0]["systems"]["s" + std::to_string(i)] = Json::object();
    }
  });
  refused(ErrorKind::kLimit,
          [](Json& card) { card["suites"] = Json(kMaxReportSuites + 1, card["suites"][0]); });
  refused(ErrorKind::kLimit, [](Json& card) {
    for (std::size_t i = 0; i < kMaxReportMetrics; ++i) {
      card["suites"][0]["systems"]["base"]["m" + std::to_string(i)] = card_figure(0, 0, 0, 1);
    }
  });
}

}  // namespace
}  // namespace llmpatch
