#include "judge/command.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "judge/test_files.h"

namespace llmpatch {
namespace {

const std::vector<JudgeItem> kItems{{"one", "first \"answer\"\n"}, {"two", "second"}};

Result<std::unique_ptr<Judge>> judge_of(const TestFolder& folder, const Json& members,
                                        const CancelFlag* cancel = nullptr) {
  return make_judge(folder.write("judge.json", json_line(members)).string(), {"data", cancel});
}

// What a shell script says of kItems.
Result<std::vector<double>> scores_by(const std::string& script, std::int64_t seconds = 60,
                                      const CancelFlag* cancel = nullptr) {
  const TestFolder folder;
  LLMPATCH_ASSIGN(const auto judge, judge_of(folder,
                                             {{"judge", "command"},
                                              {"name", "house"},
                                              {"command", {"sh", "-c", script}},
                                              {"seconds", seconds}},
                                             cancel));
  return judge->score(kItems);
}

void expect_error(const std::string& script, ErrorKind kind, const std::string& part) {
  const auto scores = scores_by(script);
  ASSERT_FALSE(scores.ok()) << script;
  EXPECT_EQ(scores.error().kind, kind) << scores.error().to_string();
  EXPECT_NE(scores.error().message.find(part), std::string::npos) << scores.error().to_string();
}

TEST(CommandJudge, GivesItemsAndTakesScores) {
  const TestFolder folder;
  const auto seen = folder.path() / "seen.jsonl";
  const auto judge = judge_of(
      folder, {{"judge", "command"},
               {"name", "house"},
               {"command",
                {"sh", "-c", R"(cat > "$1"; echo '{"score": 0.25}'; echo '{"score":1,"why":"x"}')",
                 "sh", seen.string()}}});
  ASSERT_TRUE(judge.ok()) << judge.error().to_string();
  EXPECT_EQ((*judge)->name(), "house");
  EXPECT_EQ((*judge)->identity().find("house sha256:"), 0U);
  EXPECT_EQ((*judge)->score(kItems).value(), (std::vector<double>{0.25, 1}));
  const auto lines = read_json_lines(seen, "items").value();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].value, (Json{{"prompt", "one"}, {"response", "first \"answer\"\n"}}));
  EXPECT_EQ(lines[1].value, (Json{{"prompt", "two"}, {"response", "second"}}));
}

TEST(CommandJudge, NeedsNoNewlineAtTheEnd) {
  EXPECT_EQ(scores_by(R"(printf '{"score":0}\n{"score":0.5}')").value(),
            (std::vector<double>{0, 0.5}));
}

TEST(CommandJudge, RunsNothingForNoItems) {
  const TestFolder folder;
  const auto judge = judge_of(folder, {{"judge", "command"}, {"command", {"false"}}});
  EXPECT_EQ((*judge)->score({}).value(), std::vector<double>{});
}

TEST(CommandJudge, BadAnswers) {
  const std::string good = R"(echo '{"score":1}'; )";
  expect_error("exit 3", ErrorKind::kIo, "exit code 3");
  expect_error(good + good + "exit 1", ErrorKind::kIo, "exit code 1");
  expect_error("kill -9 $$", ErrorKind::kIo, "exit code 137");
  expect_error("true", ErrorKind::kCorrupt, "found 0 lines, expected 2");
  expect_error(good, ErrorKind::kCorrupt, "found 1 lines, expected 2");
  expect_error(good + good + good, ErrorKind::kCorrupt, "found 3 lines, expected 2");
  expect_error(good + "echo 0.5", ErrorKind::kCorrupt, "line 2");
  expect_error(good + "echo hello", ErrorKind::kCorrupt, "line 2");
  expect_error(good + "echo", ErrorKind::kCorrupt, "line 2");
  expect_error(good + R"(echo '{"rating":1}')", ErrorKind::kCorrupt, "score");
  expect_error(good + R"(echo '{"score":"1"}')", ErrorKind::kCorrupt, "score");
  expect_error(good + R"(echo '{"score":NaN}')", ErrorKind::kCorrupt, "line 2");
  expect_error(good + R"(echo '{"score":1.01}')", ErrorKind::kCorrupt, "expected 0 to 1");
  expect_error(good + R"(echo '{"score":-0.01}')", ErrorKind::kCorrupt, "expected 0 to 1");
  expect_error("yes", ErrorKind::kLimit, "2048 bytes");
}

TEST(CommandJudge, IsStoppedInTimeAndWhenCancelled) {
  const auto late = scores_by("sleep 100", 1);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind, ErrorKind::kLimit);
  CancelFlag cancel;
  cancel.raise();
  EXPECT_EQ(scores_by("sleep 100", 60, &cancel).error().kind, ErrorKind::kCancelled);
}

TEST(CommandJudge, ProgramThatIsNotThere) {
  const TestFolder folder;
  const auto judge =
      judge_of(folder, {{"judge", "command"}, {"command", {"llmpatch-no-such-program"}}});
  ASSERT_TRUE(judge.ok());
  EXPECT_EQ((*judge)->score(kItems).error().kind, ErrorKind::kNotFound);
}

TEST(CommandJudge, BadFiles) {
  const TestFolder folder;
  const std::vector<Json> cases{
      {{"judge", "command"}},
      {{"judge", "command"}, {"command", "sh -c true"}},
      {{"judge", "command"}, {"command", Json::array()}},
      {{"judge", "command"}, {"command", {"sh", 1}}},
      {{"judge", "command"}, {"command", {""}}},
      {{"judge", "command"}, {"command", {std::string("a\0b", 3)}}},
      {{"judge", "command"}, {"command", {"true"}}, {"seconds", 0}},
      {{"judge", "command"}, {"command", {"true"}}, {"seconds", 1.5}},
      {{"judge", "command"}, {"command", {"true"}}, {"shell", true}},
  };
  for (const Json& members : cases) {
    const auto judge = judge_of(folder, members);
    ASSERT_FALSE(judge.ok()) << members;
    EXPECT_EQ(judge.error().kind, ErrorKind::kCorrupt) << judge.error().to_string();
  }
}

}  // namespace
}  // namespace llmpatch
