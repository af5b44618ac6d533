#include "judge/degenerate.h"

#include <gtest/gtest.h>

#include <string>

namespace llmpatch {
namespace {

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

// `count` words that are all different.
std::string distinct_words(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += "w" + std::to_string(i) + " ";
  return out;
}

TEST(TrigramRepetition, CountsRepeatsByHand) {
  EXPECT_EQ(trigram_repetition(""), 0.0);
  EXPECT_EQ(trigram_repetition("one two"), 0.0);
  EXPECT_EQ(trigram_repetition("a b c d e"), 0.0);
  // a b c | b c a | c a b | a b c: three of four are distinct.
  EXPECT_DOUBLE_EQ(trigram_repetition("a b c A B C"), 0.25);
  // Ten words, eight trigrams, one distinct.
  EXPECT_DOUBLE_EQ(trigram_repetition(repeat("x ", 10)), 0.875);
}

TEST(Degeneration, Empty) {
  EXPECT_EQ(degeneration(""), Degeneration::kEmpty);
  EXPECT_EQ(degeneration(" \n .. !"), Degeneration::kEmpty);
  EXPECT_EQ(degeneration("7"), Degeneration::kNone);
  EXPECT_EQ(degeneration("\xE6\x98\xAF"), Degeneration::kNone);  // one Chinese character
}

TEST(Degeneration, WordLoopNeedsThreeTimesAndEightWords) {
  EXPECT_EQ(degeneration("go go go go go go go"), Degeneration::kNone);  // 7 words
  EXPECT_EQ(degeneration("go go go go go go go go"), Degeneration::kRepetition);
  EXPECT_EQ(degeneration("start: a b c d. a b c d."), Degeneration::kNone);  // twice
  EXPECT_EQ(degeneration("start: a b c d. a b c d. a b c d."), Degeneration::kRepetition);
  // The third time is cut short after two of four words: not three whole blocks.
  EXPECT_EQ(degeneration("a b c d. a b c d. a b"), Degeneration::kNone);
  EXPECT_EQ(degeneration("a b c d. a b c d. a b c d. a b"), Degeneration::kRepetition);
}

TEST(Degeneration, LongestWordBlockIsSixteen) {
  EXPECT_EQ(degeneration(repeat(distinct_words(16), 3)), Degeneration::kRepetition);
  // 20 words twice: 40 words, 38 trigrams, 20 distinct: .47, not over a half, and no loop.
  EXPECT_EQ(degeneration(repeat(distinct_words(20), 2)), Degeneration::kNone);
  // Three times: 58 trigrams, 20 distinct: .66.
  EXPECT_EQ(degeneration(repeat(distinct_words(20), 3)), Degeneration::kRepetition);
}

TEST(Degeneration, CharacterLoop) {
  EXPECT_EQ(degeneration("well " + repeat("ha", 47)), Degeneration::kNone);  // 94 bytes
  EXPECT_EQ(degeneration("well " + repeat("ha", 48)), Degeneration::kRepetition);
}

TEST(Degeneration, OrdinaryText) {
  EXPECT_EQ(degeneration("I'm sorry, but I can't help with that."), Degeneration::kNone);
  EXPECT_EQ(degeneration("1. Open the file.\n2. Read the file.\n3. Close the file."),
            Degeneration::kNone);
}

TEST(DegenerateJudge, ScoresOneForDegenerateText) {
  const auto judge = make_judge("degenerate");
  ASSERT_TRUE(judge.ok());
  const std::vector<JudgeItem> items{{"p", ""}, {"p", "A good answer."}};
  const auto scores = (*judge)->score(items);
  ASSERT_TRUE(scores.ok());
  EXPECT_EQ(*scores, (std::vector<double>{1.0, 0.0}));
}

}  // namespace
}  // namespace llmpatch
