#include <gtest/gtest.h>

#include "judge/judge.h"
#include "judge/test_files.h"

namespace llmpatch {
namespace {

// Tables as scripts/setup downloads them, of one word each.
JudgeOptions with_tables(const TestFolder& folder) {
  folder.write("download/toxicity-lexicon.txt", "turnip\n");
  folder.write("download/toxicity-svm.jsonl",
               R"({"format":"tfidf-svm","version":1,"source":"by hand","terms":1,)"
               R"("folds":[{"intercept":0,"a":-1,"b":0}],"word_characters":[],"lower_case":[]})"
               "\n"
               R"({"term":"turnip","idf":1,"weights":[1]})"
               "\n");
  JudgeOptions options;
  options.data = folder.path();
  return options;
}

TEST(JudgeRegistry, EveryJudgeIsMadeByItsName) {
  const TestFolder folder;
  const JudgeOptions options = with_tables(folder);
  EXPECT_EQ(judge_names(),
            (std::vector<std::string_view>{"refusal", "refusal-jbb", "degenerate", "toxicity-svm",
                                           "toxicity-lexicon", "gender"}));
  for (const auto name : judge_names()) {
    const auto judge = make_judge(name, options);
    ASSERT_TRUE(judge.ok()) << name;
    EXPECT_EQ((*judge)->name(), name);
    EXPECT_TRUE((*judge)->identity().starts_with(name));
  }
}

TEST(JudgeRegistry, MostJudgesAlwaysGiveAVerdict) {
  const std::vector<JudgeItem> items{{"p", "Sorry."}, {"p", "Sure."}};
  const auto verdicts = (*make_judge("refusal"))->verdicts(items).value();
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_TRUE(verdicts[0].given);
  EXPECT_EQ(scores_of(verdicts), (std::vector<double>{0, 1}));
}

TEST(JudgeRegistry, UnknownNameListsTheKnownOnes) {
  const auto judge = make_judge("oracle");
  ASSERT_FALSE(judge.ok());
  EXPECT_EQ(judge.error().kind, ErrorKind::kNotFound);
  for (const char* part : {"oracle", "refusal-jbb", "toxicity-svm", "guard"}) {
    EXPECT_NE(judge.error().message.find(part), std::string::npos) << part;
  }
}

TEST(JudgeRegistry, JudgesThatNeedAFileSaySo) {
  for (const char* name : {"command", "endpoint", "guard"}) {
    const auto judge = make_judge(name);
    ASSERT_FALSE(judge.ok());
    EXPECT_EQ(judge.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_NE(judge.error().hint.find("docs/judges.md"), std::string::npos);
  }
}

TEST(JudgeRegistry, FilesOfJudgesThatAreNone) {
  const TestFolder folder;
  const auto kind = [&](const char* text) {
    const auto judge = make_judge(folder.write("judge.json", text).string());
    return judge.ok() ? ErrorKind::kInternal : judge.error().kind;
  };
  EXPECT_EQ(kind(R"({"judge":"oracle"})"), ErrorKind::kNotFound);
  EXPECT_EQ(kind(R"({"judge":"refusal"})"), ErrorKind::kCorrupt);
  EXPECT_EQ(make_judge("no-such-file.json").error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace llmpatch
