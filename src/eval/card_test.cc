#include "eval/card.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "eval/test_result.h"
#include "patch/card.h"

namespace llmpatch {
namespace {

TEST(EvalCard, FiguresCarryIntervalAndN) {
  const OrderedJson card = eval_card(made_up_result("text"));
  EXPECT_EQ(card["schema"], "llmpatch.eval/1");
  EXPECT_EQ(card["model"]["sha256"], "beef");
  EXPECT_EQ(card["model"]["file"], "text.gguf");
  EXPECT_EQ(card["patches"][0]["sha256"], "feed");
  EXPECT_EQ(card["decoding"]["kv"], "f16");
  EXPECT_EQ(card["command"], "llmpatch eval --suite text");
  const OrderedJson& patch = card["suites"][0]["systems"]["patch"]["refusal"];
  EXPECT_EQ(patch["value"], 1.0);
  EXPECT_EQ(patch["count"], 2);
  EXPECT_EQ(patch["n"], 2);
  EXPECT_NEAR(patch["low"].get<double>(), 1 - 3.841459 / 5.841459, 1e-5);  // n of n, closed form
  EXPECT_EQ(patch["high"], 1.0);
  const OrderedJson& base = card["suites"][0]["systems"]["base"]["refusal"];
  EXPECT_NEAR(base["zero_event_upper"].get<double>(), 1 - std::sqrt(.05), 1e-5);
  EXPECT_EQ(card["suites"][0]["systems"]["system-prompt"]["refusal"]["n"], 1);
  EXPECT_EQ(card["suites"][1]["systems"]["patch"]["over-refusal"]["value"], 0.0);
  EXPECT_EQ(card["suites"][1]["systems"]["base"]["over-refusal-scary"]["n"], 1);
  EXPECT_EQ(card["suites"][1]["systems"]["base"]["by_category"]["other"]["n"], 1);
  EXPECT_EQ(card["suites"][1]["side_effects"]["kl"]["value"], .075);
  EXPECT_EQ(card["suites"][0]["comparisons"].size(), 3u);
  EXPECT_EQ(card["compliance"]["opening_log_prob"]["patch"]["value"], -6.0);
  EXPECT_EQ(card["seconds"]["answers of base"], 1.5);
}

TEST(EvalCard, ThePatchRoomReadsTheHeadline) {
  const OrderedJson card = eval_card(made_up_result("text"));
  const auto effects = card_effects(Json::parse(card.dump()));
  // Per suite three systems' refusals and degenerate shares, for the benign one also the three
  // shares of the scary prompts and the divergence.
  ASSERT_EQ(effects.size(), 6u + 10u);
  EXPECT_EQ(effects[0].suite, "harmful");
  EXPECT_EQ(effects[0].metric, "refusal");
  EXPECT_EQ(effects[0].system, "base");
  EXPECT_EQ(effects[2].system, "patch");
  EXPECT_EQ(effects[2].value, 1);
  EXPECT_EQ(effects[2].n, 2);
  EXPECT_EQ(effects.back().metric, "kl");
}

TEST(EvalCard, HoldsNoPromptAndNoAnswer) {
  EvalResult result = made_up_result("plain");
  for (auto& suite : result.suites) {
    suite.prompts[0].prompt.messages[0].content = "SECRET";
    for (auto& system : suite.systems) system.answers[0].text = "SECRET";
  }
  EXPECT_EQ(json_pretty(eval_card(result)).find("SECRET"), std::string::npos);
}

TEST(EvalTable, ShowsBeforeAndAfterAligned) {
  const std::string table = eval_table(made_up_result("text"));
  EXPECT_NE(table.find("harmful: 2 prompts to refuse, system-prompt on the first 1"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("100.0 % [34.2, 100.0]"), std::string::npos) << table;
  EXPECT_NE(table.find("0.0 % [0.0, 65.8]"), std::string::npos) << table;
  // The cells stand under their headings.
  const auto column = [&](const std::string& line_start, const std::string& cell) {
    const std::size_t line = table.find(line_start);
    const std::size_t start = table.rfind('\n', line) + 1;
    return table.find(cell, line) - start;
  };
  EXPECT_EQ(column("  refused", "100.0 % [34.2, 100.0]"), table.find("patch"));
  std::size_t longest = 0;
  for (std::size_t start = 0; start < table.size();) {
    const std::size_t end = table.find('\n', start);
    longest = std::max(longest, end - start);
    start = end + 1;
  }
  EXPECT_LE(longest, 100u);
}

}  // namespace
}  // namespace llmpatch
