#include "eval/multiple_choice.h"

#include <gtest/gtest.h>

#include <fstream>

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

const ChoiceItem kItem{" Which is a colour? ", "things", {"red", "seven"}, 0};
const ChoiceItem kExample{"Which is a number?", "things", {"blue", "two"}, 1};

TEST(ChoiceText, LetteredAsMmlu) {
  const ChoiceText text = choice_text(kItem, std::span(&kExample, 1), true);
  EXPECT_EQ(text.context,
            "The following are multiple choice questions (with answers) about things.\n\n"
            "Which is a number?\nA. blue\nB. two\nAnswer: B\n\n"
            "Which is a colour?\nA. red\nB. seven\nAnswer:");
  EXPECT_EQ(text.continuations, (std::vector<std::string>{" A", " B"}));
}

TEST(ChoiceText, PlainAsArc) {
  const ChoiceText text = choice_text(kExample, {}, false);
  EXPECT_EQ(text.context, "Question: Which is a number?\nAnswer:");
  EXPECT_EQ(text.continuations, (std::vector<std::string>{" blue", " two"}));
}

TEST(RankChoices, ByLikelihoodAndPerCharacter) {
  // -6 beats -8; per character -8/8 beats -6/3.
  const ChoiceRanking ranking =
      rank_choices(std::vector<double>{-8, -6}, std::vector<std::size_t>{8, 3});
  EXPECT_EQ(ranking.likeliest, 1u);
  EXPECT_EQ(ranking.normalised, 0u);
}

TEST(RankChoices, TheFirstOfEquals) {
  const ChoiceRanking ranking =
      rank_choices(std::vector<double>{-2, -2, -2}, std::vector<std::size_t>{1, 1, 1});
  EXPECT_EQ(ranking.likeliest, 0u);
  EXPECT_EQ(ranking.normalised, 0u);
}

class Items : public ::testing::Test {
 protected:
  Result<std::vector<ChoiceItem>> read(const std::string& line) const {
    std::ofstream(path_) << R"({"question": "q", "choices": ["a", "b"], "answer": 0})"
                         << "\n"
                         << line << "\n";
    return read_items(path_, "items");
  }
  void TearDown() override { fs::remove(path_); }

  fs::path path_ = fs::path(::testing::TempDir()) / "items.jsonl";
};

TEST_F(Items, AnswerByIndexOrLetter) {
  const auto items = read(R"({"question": "q", "choices": ["a", "b", "c"], "answer": "C",)"
                          R"( "subject": "s"})");
  ASSERT_TRUE(items.ok()) << items.error().to_string();
  EXPECT_EQ(items->at(0).answer, 0u);
  EXPECT_EQ(items->at(1).answer, 2u);
  EXPECT_EQ(items->at(1).subject, "s");
}

TEST_F(Items, BadOnesAreNamed) {
  struct Bad {
    const char* line;
    const char* names;
  };
  for (const auto& [line, names] :
       {Bad{R"({"choices": ["a", "b"], "answer": 0})", "question"},
        {R"({"question": "q", "answer": 0})", "choices"},
        {R"({"question": "q", "choices": ["a"], "answer": 0})", "found 1"},
        {R"({"question": "q", "choices": ["a", 2], "answer": 0})", "found 2"},
        {R"({"question": "q", "choices": ["a", ""], "answer": 0})", "\"\""},
        {R"({"question": "q", "choices": ["a", "b"]})", "answer"},
        {R"({"question": "q", "choices": ["a", "b"], "answer": 2})", "found 2"},
        {R"({"question": "q", "choices": ["a", "b"], "answer": -1})", "found -1"},
        {R"({"question": "q", "choices": ["a", "b"], "answer": "c"})", "\"c\""},
        {R"({"question": "q", "choices": ["a", "b"], "answer": 0, "hint": ""})", "hint"}}) {
    const auto items = read(line);
    ASSERT_FALSE(items.ok()) << line;
    EXPECT_EQ(items.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(items.error().message.find("line 2"), std::string::npos);
    EXPECT_NE(items.error().message.find(names), std::string::npos) << items.error().message;
  }
}

TEST_F(Items, TheBuiltInOnes) {
  const fs::path data = fs::path(LLMPATCH_SOURCE_DIR) / "data";
  const auto items = read_items(data / "utility.jsonl", "items");
  ASSERT_TRUE(items.ok()) << items.error().to_string();
  EXPECT_GE(items->size(), 200u);
  const auto examples = read_items(data / "utility-examples.jsonl", "examples");
  ASSERT_TRUE(examples.ok()) << examples.error().to_string();
  EXPECT_GE(examples->size(), 5u);
}

}  // namespace
}  // namespace llmpatch
