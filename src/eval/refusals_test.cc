#include "eval/refusals.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

SuitePrompt prompt(const std::string& category, bool scary) {
  SuitePrompt entry;
  entry.prompt.messages.push_back({"user", "text"});
  entry.category = category;
  entry.scary = scary;
  return entry;
}

Answer answer(bool refused, std::size_t tokens = 4,
              Degeneration degeneration = Degeneration::kNone) {
  Answer out;
  out.tokens.assign(tokens, 1);
  out.text = "a b c a b c";  // four trigrams, three distinct
  out.refused = refused;
  out.degeneration = degeneration;
  return out;
}

TEST(SummariseAnswers, CountsByCategoryAndScary) {
  const std::vector<SuitePrompt> prompts{prompt("code", true), prompt("code", false),
                                         prompt("talk", true), prompt("", true)};
  const SystemResult result = summarise_answers(
      System::kPatched, prompts,
      {answer(true), answer(false, 8), answer(false, 4, Degeneration::kEmpty), answer(true)}, 0);
  EXPECT_EQ(result.refused, (Proportion{2, 4}));
  EXPECT_EQ(result.degenerate, (Proportion{1, 4}));
  ASSERT_TRUE(result.refused_scary.has_value());
  EXPECT_EQ(*result.refused_scary, (Proportion{2, 3}));
  EXPECT_EQ(result.refused_by_category,
            (std::map<std::string, Proportion>{{"code", {1, 2}}, {"talk", {0, 1}}}));
  EXPECT_DOUBLE_EQ(result.repetition.value, 0.25);
  EXPECT_DOUBLE_EQ(result.tokens.value, 5);
  EXPECT_EQ(result.answers.size(), 4u);
}

TEST(SummariseAnswers, WithoutScaryPromptsThereIsNoScaryShare) {
  const std::vector<SuitePrompt> prompts{prompt("", false)};
  EXPECT_FALSE(
      summarise_answers(System::kBase, prompts, {answer(false)}, 0).refused_scary.has_value());
}

TEST(CompareRefusals, CountsDiscordantPromptsBothAnswered) {
  const std::vector<SuitePrompt> prompts(8, prompt("", false));
  const auto of = [&](const System& system, const std::vector<bool>& refused) {
    std::vector<Answer> answers;
    for (const bool each : refused) answers.push_back(answer(each));
    return summarise_answers(system, std::span(prompts).first(answers.size()), answers, 0);
  };
  const SystemResult base =
      of(System::kBase, {false, false, false, false, false, false, true, true});
  const SystemResult patched =
      of(System::kPatched, {true, true, true, true, true, true, true, false});
  const Comparison pair = compare_refusals(base, patched);
  EXPECT_EQ(pair.n, 8u);
  EXPECT_EQ(pair.only_a, 1u);
  EXPECT_EQ(pair.only_b, 6u);
  EXPECT_NEAR(pair.p, 2.0 * (1 + 7) / 128, 1e-12);

  // A system measured on the first two prompts is compared on these alone.
  const SystemResult prompted = of(System::kSystemPrompt, {true, false});
  const Comparison part = compare_refusals(prompted, patched);
  EXPECT_EQ(part.n, 2u);
  EXPECT_EQ(part.only_a, 0u);
  EXPECT_EQ(part.only_b, 1u);

  const std::vector<SystemResult> all{base, prompted, patched};
  EXPECT_EQ(compare_all(all).size(), 3u);
}

}  // namespace
}  // namespace llmpatch
