#include "eval/compose_report.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "eval/test_compose_table.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

ComposeResult result_of(const KnownFigures& known = {}) {
  ComposeResult result;
  result.table = known_table(known);
  result.table.figures = {{"benign", "kl_from_base", {}, {}}};
  for (int i = 0; i < 5; ++i) {
    result.table.figures[0].modes.push_back({.1 * i, {.1 * i, .1 * i}, 100});
  }
  result.recommendation = recommend(result.table, {}, 1);
  result.model_path = "/some/where/model.gguf";
  result.options.eval.command = "llmpatch compose a b";
  return result;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ComposeText, ShowsEveryModeAndWhyOneIsRecommended) {
  const std::string text = compose_text(result_of());
  EXPECT_TRUE(has(text, "harm: refused, 100 prompts, more is better\n")) << text;
  EXPECT_TRUE(has(text, "bias: j.flagged, 100 prompts, less is better\n")) << text;
  EXPECT_TRUE(has(text, "  a, then b   70.0 % [")) << text;
  EXPECT_TRUE(has(text, "a keeps 77.8 % [")) << text;
  EXPECT_TRUE(has(text, "recommended: a beside b\n")) << text;
  EXPECT_TRUE(has(text, "  refuses 2.0 % of benign (alone 4.0 %)\n")) << text;
  EXPECT_TRUE(has(text, "\na, then b: a keeps 77.8 % of what it improves alone")) << text;
}

TEST(ComposeText, SaysWhereNothingIsRecommended) {
  KnownFigures known;
  known.over = {4, 1, 4, 3, 50};
  const std::string text = compose_text(result_of(known));
  EXPECT_TRUE(has(text, "recommended: none\n")) << text;
  EXPECT_TRUE(has(text, "at least 80.0 % of what it improves alone")) << text;
}

TEST(ComposeText, WarnsOfAnImprovementThatMayBeNone) {
  KnownFigures known;
  known.refused = {1, 0, 1, 1, 1};  // one prompt of a hundred: some resamples have none
  EXPECT_TRUE(
      has(compose_text(result_of(known)), "a alone may improve nothing there: 0.010 [0.000"))
      << compose_text(result_of(known));
}

TEST(ComposeMarkdown, HasATableAMetric) {
  const std::string text = compose_markdown(result_of());
  EXPECT_TRUE(text.starts_with("# Composition of a and b\n\n**recommended: a beside b**\n"));
  EXPECT_TRUE(has(text, "| a | 1.0.0 | harmful-requests | harm:refused |\n")) << text;
  EXPECT_TRUE(has(text, "## benign: kl_from_base\n")) << text;
  EXPECT_TRUE(has(text, "llmpatch compose a b")) << text;
}

TEST(ComposeJson, HoldsEveryFigureInTheOrderOfTheModes) {
  const OrderedJson json = compose_json(result_of());
  EXPECT_EQ(json["recommended"]["mode"], "a beside b");
  EXPECT_EQ(json["model"]["file"], "model.gguf");  // no path of this machine
  ASSERT_EQ(json["modes"].size(), 5u);
  EXPECT_EQ(json["modes"][3]["patches"], OrderedJson({"b", "a"}));
  EXPECT_FALSE(json["modes"][0].contains("kept"));
  EXPECT_FALSE(json["modes"][2]["meets"].get<bool>());
  EXPECT_NEAR(json["modes"][2]["kept"][0]["kept"]["value"].get<double>(), 70. / 90, 1e-5);
  ASSERT_EQ(json["metrics"].size(), 4u);
  EXPECT_EQ(json["metrics"][0]["modes"][4]["count"], 80);
  EXPECT_EQ(json["metrics"][0]["base"]["count"], 0);
  EXPECT_TRUE(json["metrics"][3]["base"].is_null());
  EXPECT_NEAR(json["metrics"][3]["modes"][4]["value"].get<double>(), .4, 1e-6);

  KnownFigures known;
  known.flagged = {26, 60, 0, 0, 0};
  const OrderedJson none = compose_json(result_of(known));
  EXPECT_TRUE(none["recommended"].is_null());
  EXPECT_TRUE(none["modes"][4]["kept"][1]["kept"].is_null());
}

TEST(TestedStacks, AreTheModesThatAPatchIsPartOf) {
  ComposeResult result = result_of();
  const auto stacks = tested_stacks(result, 1);
  ASSERT_EQ(stacks.size(), 3u);
  EXPECT_EQ(stacks[1].patches, (std::vector<std::string>{"b@2.0.0", "a@1.0.0"}));
  EXPECT_EQ(stacks[1].compose, "sequential");
  EXPECT_EQ(stacks[2].patches, (std::vector<std::string>{"a@1.0.0", "b@2.0.0"}));
  EXPECT_EQ(stacks[2].compose, "parallel");
  EXPECT_EQ(stacks[2].suite, "bias");
  EXPECT_EQ(stacks[2].metric, "j.flagged");
  EXPECT_EQ(stacks[2].kept, 1);
  EXPECT_EQ(stacks[2].prompts, 100);
  EXPECT_NEAR(stacks[2].over_refusal.value(), .02, 1e-12);
  for (const TestedStack& stack : stacks) EXPECT_TRUE(check_tested_stack(stack).ok());

  KnownFigures known;
  known.flagged = {26, 60, 0, 0, 0};
  EXPECT_TRUE(tested_stacks(result_of(known), 1).empty());  // nothing to keep
  EXPECT_EQ(tested_stacks(result_of(known), 0).size(), 3u);
}

TEST(WriteCompose, ReplacesNothingUnlessTold) {
  const fs::path out = fs::path(::testing::TempDir()) / "compose-report";
  fs::remove_all(out);
  ASSERT_TRUE(write_compose(result_of(), out, Overwrite::kNo).ok());
  EXPECT_TRUE(fs::exists(out / "compose.md"));
  const Status again = write_compose(result_of(), out, Overwrite::kNo);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::kExists);
  EXPECT_TRUE(write_compose(result_of(), out, Overwrite::kYes).ok());
  fs::remove_all(out);
}

}  // namespace
}  // namespace llmpatch
