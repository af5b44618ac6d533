#include "learn/preferences.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <utility>

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

Prompt prompt(const std::string& text) {
  Prompt made;
  made.messages = {{"user", text}};
  return made;
}

class Preferences : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove(path_); }
  Result<std::vector<Preference>> read(const std::string& text) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
    return read_preferences(path_, PromptFormat::kChat);
  }
  fs::path path_ = fs::temp_directory_path() / ("llmpatch-pairs-" + std::to_string(::getpid()));
};

TEST_F(Preferences, KeepPairsThatTheFilterLetsThrough) {
  const auto judge = make_judge("refusal");
  ASSERT_TRUE(judge.ok());
  const std::vector<Answers> rejected{{{"Sure, first you", "I'm sorry, no."}, {false, true}},
                                      {{"I cannot do that.", "Of course:"}, {true, false}}};
  const auto kept =
      judge_preferences({prompt("a"), prompt("b")}, {PromptFormat::kChat, PromptFormat::kRaw},
                        rejected, {}, "I'm sorry, but no.", **judge, {});
  ASSERT_TRUE(kept.ok());
  ASSERT_EQ(kept->size(), 2u);  // what was refused already teaches nothing
  EXPECT_EQ((*kept)[0].rejected, "Sure, first you");
  EXPECT_FALSE((*kept)[0].rejected_complete);
  EXPECT_TRUE((*kept)[0].chosen_complete);
  EXPECT_EQ((*kept)[1].rejected, "Of course:");
  EXPECT_EQ((*kept)[1].format, PromptFormat::kRaw);
}

// In an empty answer there is nothing to learn, however well it is judged.
TEST_F(Preferences, LeaveEmptyAnswersOut) {
  const auto judge = make_judge("degenerate");
  ASSERT_TRUE(judge.ok()) << judge.error().to_string();
  const std::vector<Prompt> prompts{prompt("a"), prompt("b"), prompt("c")};
  const std::vector<PromptFormat> formats(3, PromptFormat::kChat);
  const std::string good = "A walk by the sea.", bad = "no no no no no no no no no no no no";
  const std::vector<Answers> rejected{
      {{"", bad}, {true, true}}, {{bad, ""}, {true, true}}, {{"", ""}, {true, true}}};
  const std::vector<Answers> chosen{
      {{"", good}, {false, true}}, {{"", ""}, {false, false}}, {{good, good}, {true, true}}};
  const PreferenceFilter any{-1, 2};
  const auto kept = judge_preferences(prompts, formats, rejected, chosen, "", **judge, any);
  ASSERT_TRUE(kept.ok());
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_EQ((*kept)[0].chosen, good);
  EXPECT_EQ((*kept)[0].rejected, bad);
  EXPECT_TRUE((*kept)[0].chosen_complete);
  for (const auto& texts : {chosen, std::vector<Answers>{}}) {
    const auto paired = best_and_worst(prompts, formats, rejected, texts, **judge, any);
    ASSERT_TRUE(paired.ok());
    EXPECT_EQ(paired->size(), texts.empty() ? 0U : 1U);
    // What is written can be read back.
    EXPECT_TRUE(read(preferences_to_lines(*paired)).ok());
  }
}

TEST_F(Preferences, TakeTheTeachersBestAnswerOrNone) {
  const auto judge = make_judge("refusal");
  const std::vector<Answers> rejected{{{"Sure"}, {false}}, {{"Sure"}, {false}}};
  const std::vector<Answers> chosen{{{"Here is how", "I can't help with that."}, {true, false}},
                                    {{"Gladly."}, {true}}};
  const auto kept =
      judge_preferences({prompt("a"), prompt("b")}, {PromptFormat::kChat, PromptFormat::kChat},
                        rejected, chosen, "", **judge, {});
  ASSERT_TRUE(kept.ok());
  ASSERT_EQ(kept->size(), 1u);  // the second teacher complied: its score is too high
  EXPECT_EQ((*kept)[0].chosen, "I can't help with that.");
  EXPECT_FALSE((*kept)[0].chosen_complete);
}

// Scores are written in the responses.
class WrittenScores : public Judge {
 public:
  std::string_view name() const override { return "written"; }
  Result<std::vector<double>> score(std::span<const JudgeItem> items) const override {
    std::vector<double> scores;
    for (const JudgeItem& item : items) scores.push_back(std::stod(item.response));
    return scores;
  }
};

std::vector<std::pair<std::string, std::string>> chosen_and_rejected(
    const std::vector<Answers>& sampled, const std::vector<Answers>& chosen,
    const PreferenceFilter& filter) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto kept =
      best_and_worst({prompt("a"), prompt("b")}, {PromptFormat::kRaw, PromptFormat::kRaw}, sampled,
                     chosen, WrittenScores(), filter);
  EXPECT_TRUE(kept.ok());
  for (const Preference& pair : kept.value()) pairs.emplace_back(pair.chosen, pair.rejected);
  return pairs;
}

TEST_F(Preferences, PairTheBestSamplesWithTheWorst) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  const std::vector<Answers> sampled{
      {{".5", ".1", ".9", ".2", ".7"}, {true, true, true, true, true}},
      {{".3", ".6", ".31"}, {true, true, true}}};
  // Of five samples the middle one is in no pair; the other prompt's best and worst differ by .3.
  EXPECT_EQ(chosen_and_rejected(sampled, {}, {0.25, 0.5}),
            (Pairs{{".1", ".9"}, {".2", ".7"}, {".3", ".6"}}));
  EXPECT_EQ(chosen_and_rejected(sampled, {}, {0.45, 0.5}), (Pairs{{".1", ".9"}, {".2", ".7"}}));
  EXPECT_EQ(chosen_and_rejected(sampled, {}, {0.25, 0.15}), (Pairs{{".1", ".9"}}));
}

TEST_F(Preferences, PairTheTeachersBestSamplesWithTheWorst) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  const std::vector<Answers> sampled{{{".5", ".9"}, {true, true}}, {{".2", ".1"}, {true, true}}};
  const std::vector<Answers> chosen{{{".4", "0"}, {true, true}}, {{".0", ".1"}, {true, true}}};
  EXPECT_EQ(chosen_and_rejected(sampled, chosen, {0.25, 0.5}), (Pairs{{"0", ".9"}}));
  EXPECT_EQ(chosen_and_rejected(sampled, chosen, {0.05, 0.5}),
            (Pairs{{"0", ".9"}, {".4", ".5"}, {".0", ".2"}}));
}

TEST_F(Preferences, AreJudgedWithTheLeaningsOfTheModelsThatWroteThem) {
  const auto judge = make_judge("gender");
  const std::vector<Answers> rejected{{{"he does"}, {true}}, {{"he does"}, {true}}};
  const std::vector<Answers> chosen{{{"they do"}, {true}}, {{"they do"}, {true}}};
  // (1 + .5) / 2 against (0 + .25) / 2; (1 + .75) / 2 against (0 + .875) / 2, too near.
  const AnswerGld gld{{0.5, 0.75}, {0.25, 0.875}};
  const auto kept =
      judge_preferences({prompt("a"), prompt("b")}, {PromptFormat::kRaw, PromptFormat::kRaw},
                        rejected, chosen, "", **judge, {}, gld);
  ASSERT_TRUE(kept.ok());
  ASSERT_EQ(kept->size(), 1u);
  EXPECT_EQ((*kept)[0].score_rejected, 0.75);
  EXPECT_EQ((*kept)[0].score_chosen, 0.125);
  // Of a fixed text nothing is known: GAS alone.
  const auto fixed = judge_preferences({prompt("a")}, {PromptFormat::kRaw}, {rejected[0]}, {},
                                       "they do", **judge, {}, {{0.5}, {}});
  ASSERT_EQ(fixed->size(), 1u);
  EXPECT_EQ((*fixed)[0].score_rejected, 0.75);
  EXPECT_EQ((*fixed)[0].score_chosen, 0);
}

TEST_F(Preferences, ComeBackFromTheirLines) {
  Preference one;
  one.prompt = prompt("why \"so\"?");
  one.format = PromptFormat::kRaw;
  one.chosen = "no\n";
  one.rejected = "yes";
  one.rejected_complete = false;
  one.score_rejected = 1;
  const auto again = read(preferences_to_lines({one}));
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  ASSERT_EQ(again->size(), 1u);
  EXPECT_EQ(again->front().prompt.text(), "why \"so\"?");
  EXPECT_EQ(again->front().format, PromptFormat::kRaw);
  EXPECT_EQ(again->front().chosen, "no\n");
  EXPECT_FALSE(again->front().rejected_complete);
  EXPECT_EQ(again->front().score_rejected, 1);
}

TEST_F(Preferences, AcceptTrlsConversations) {
  const auto pairs =
      read(R"({"messages":[{"role":"user","content":"hi"}],)"
           R"("chosen":[{"role":"assistant","content":"hello"}],"rejected":"go away"})"
           "\n");
  ASSERT_TRUE(pairs.ok()) << pairs.error().to_string();
  EXPECT_EQ(pairs->front().chosen, "hello");
}

TEST_F(Preferences, NameTheLineThatIsWrong) {
  const struct {
    const char* line;
    ErrorKind kind;
  } cases[]{{R"({"prompt":"a","chosen":"b"})", ErrorKind::kCorrupt},
            {R"({"prompt":"a","chosen":"b","rejected":3})", ErrorKind::kCorrupt},
            {R"({"prompt":"a","chosen":"","rejected":"c"})", ErrorKind::kCorrupt},
            {R"({"prompt":"a","chosen":[{"role":"user","content":"b"}],"rejected":"c"})",
             ErrorKind::kUnsupported},
            {R"({"prompt":"a","format":"xml","chosen":"b","rejected":"c"})",
             ErrorKind::kInvalidArgument}};
  for (const auto& [line, kind] : cases) {
    const auto pairs =
        read(std::string("{\"prompt\":\"p\",\"chosen\":\"c\",\"rejected\":\"r\"}\n") + line + "\n");
    ASSERT_FALSE(pairs.ok()) << line;
    EXPECT_EQ(pairs.error().kind, kind) << line;
    if (kind != ErrorKind::kInvalidArgument) {
      EXPECT_NE(pairs.error().message.find("line 2"), std::string::npos)
          << pairs.error().to_string();
    }
  }
}

}  // namespace
}  // namespace llmpatch
