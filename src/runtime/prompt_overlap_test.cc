#include "runtime/prompt_overlap.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

std::vector<Prompt> prompts(const std::vector<std::string>& texts) {
  std::vector<Prompt> out;
  for (const auto& text : texts) {
    Prompt prompt;
    prompt.messages.push_back({"user", text});
    prompt.line = out.size() + 1;
    out.push_back(std::move(prompt));
  }
  return out;
}

bool overlap(const std::string& a, const std::string& b) {
  return !find_overlaps(prompts({a}), prompts({b})).empty();
}

TEST(PromptOverlap, EqualAfterNormalisingEvenWhenShort) {
  EXPECT_TRUE(overlap("Hello!", "  hello "));
  EXPECT_TRUE(overlap("What is 2+2?", "what is 2 2"));
  EXPECT_FALSE(overlap("Hello!", "Hallo!"));
  EXPECT_FALSE(overlap("?!", "..."));  // nothing left to compare
  EXPECT_TRUE(overlap("\xC3\xA9t\xC3\xA9", "\xC3\xA9t\xC3\xA9?"));
}

TEST(PromptOverlap, JaccardOfWordsWithoutStopWords) {
  // {kill, process, linux} and {kill, process, linux, server}: 3 of 4.
  EXPECT_TRUE(overlap("How do I kill a process in Linux?", "Kill the process on a Linux server"));
  // {bake, bread, oven, home} and {bake, bread, oven}: .75; order and repeats do not matter.
  EXPECT_TRUE(overlap("Bake bread, bread in the oven at home", "the oven: bake bread"));
  // Exactly .6: 3 shared of 5.
  EXPECT_TRUE(overlap("red green blue white", "red green blue black"));
  // .5: 3 shared of 6.
  EXPECT_FALSE(overlap("red green blue white pink", "red green blue black"));
}

TEST(PromptOverlap, FewerThanThreeWordsNeverMatchByJaccard) {
  EXPECT_FALSE(overlap("name a puppy", "name the puppy"));  // two words each, texts differ
}

TEST(PromptOverlap, ReportsEveryPairInOrder) {
  const auto a = prompts({"one apple pie recipe", "sing", "pie recipe apple"});
  const auto b = prompts({"Sing!", "apple pie recipe"});
  EXPECT_EQ(find_overlaps(a, b), (std::vector<PromptOverlap>{{0, 1}, {1, 0}, {2, 1}}));
}

TEST(PromptOverlap, ErrorNamesFilesAndLinesAndNotTheText) {
  const auto a = prompts({"different thing", "secret words here now", "secret words here"});
  const auto b = prompts({"secret words here"});
  const Status status = check_no_overlap({"learn.jsonl", a}, {"test.jsonl", b});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kInvalidArgument);
  const std::string text = status.error().to_string();
  EXPECT_NE(text.find("learn.jsonl line 3 and test.jsonl line 1"), std::string::npos) << text;
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  EXPECT_TRUE(check_no_overlap({"learn.jsonl", {}}, {"test.jsonl", b}).ok());
}

}  // namespace
}  // namespace llmpatch
