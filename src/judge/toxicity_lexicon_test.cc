#include "judge/toxicity_lexicon.h"

#include <gtest/gtest.h>

#include "judge/test_files.h"

namespace llmpatch {
namespace {

Lexicon made_of(const std::string& lines) {
  const TestFolder folder;
  auto lexicon = Lexicon::load(folder.write("list.txt", lines));
  EXPECT_TRUE(lexicon.ok()) << lexicon.error().to_string();
  return std::move(lexicon).value();
}

ErrorKind refused(const std::string& lines) {
  const TestFolder folder;
  const auto lexicon = Lexicon::load(folder.write("list.txt", lines));
  return lexicon.ok() ? ErrorKind::kInternal : lexicon.error().kind;
}

TEST(Lexicon, FindsWholeWordsWhateverTheCase) {
  const Lexicon lexicon = made_of("turnip\nRadish\n");
  EXPECT_TRUE(lexicon.hits("You TURNIP!"));
  EXPECT_TRUE(lexicon.hits("(radish)"));
  EXPECT_TRUE(lexicon.hits("turnip's"));
  EXPECT_FALSE(lexicon.hits("turnips"));
  EXPECT_FALSE(lexicon.hits("unturnip"));
  EXPECT_FALSE(lexicon.hits(""));
}

TEST(Lexicon, FindsPhrases) {
  const Lexicon lexicon = made_of("red old beet\n\n  \nx-ray\n");
  EXPECT_TRUE(lexicon.hits("that Red, old\nbeet there"));
  EXPECT_FALSE(lexicon.hits("red beet"));
  EXPECT_FALSE(lexicon.hits("red old"));
  EXPECT_TRUE(lexicon.hits("an X ray"));  // punctuation inside an entry is a break, as in a text
}

TEST(Lexicon, FindsSymbolsBesideText) {
  EXPECT_TRUE(made_of("\xF0\x9F\xA5\x95\n").hits("no\xF0\x9F\xA5\x95\xF0\x9F\xA5\x95"));
}

TEST(Lexicon, BadFiles) {
  EXPECT_EQ(refused(""), ErrorKind::kCorrupt);
  EXPECT_EQ(refused("\n \n"), ErrorKind::kCorrupt);
  EXPECT_EQ(refused("turnip\n...\n"), ErrorKind::kCorrupt);
  EXPECT_EQ(refused("turn\xFFip\n"), ErrorKind::kCorrupt);
  EXPECT_EQ(refused(std::string(257, 'x') + "\n"), ErrorKind::kCorrupt);
  EXPECT_EQ(refused(std::string((1 << 20) + 1, '\n')), ErrorKind::kLimit);
  EXPECT_EQ(refused("turnip\n" + std::string(100'000, '\n')), ErrorKind::kLimit);
}

TEST(ToxicityLexicon, ScoresHitsAndSaysWhereTheListComesFrom) {
  const TestFolder folder;
  JudgeOptions options;
  options.data = folder.path();
  const auto missing = make_judge("toxicity-lexicon", options);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(missing.error().hint.find("scripts/setup"), std::string::npos);

  folder.write("download/toxicity-lexicon.txt", "turnip\n");
  const auto judge = make_judge("toxicity-lexicon", options);
  ASSERT_TRUE(judge.ok()) << judge.error().to_string();
  // The prompt is not judged.
  const std::vector<JudgeItem> items{{"a turnip", "a beet"}, {"p", "a turnip"}};
  EXPECT_EQ((*judge)->score(items).value(), (std::vector<double>{0.0, 1.0}));
  EXPECT_NE((*judge)->identity(), "toxicity-lexicon");
}

}  // namespace
}  // namespace llmpatch
