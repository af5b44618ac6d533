#include "judge/judge_file.h"

#include <gtest/gtest.h>

#include "judge/test_files.h"

namespace llmpatch {
namespace {

Result<JudgeFile> read(const TestFolder& folder, const std::string& text) {
  return JudgeFile::read(folder.write("judge.json", text));
}

ErrorKind refused(const std::string& text) {
  const TestFolder folder;
  const auto file = read(folder, text);
  return file.ok() ? ErrorKind::kInternal : file.error().kind;
}

TEST(JudgeFile, NamesItsJudgeAndItself) {
  const TestFolder folder;
  const auto file = read(folder, R"({"judge": "command", "name": "my-judge_2.0"})").value();
  EXPECT_EQ(file.judge(), "command");
  EXPECT_EQ(file.name(), "my-judge_2.0");
  EXPECT_EQ(read(folder, R"({"judge": "command"})").value().name(), "command");
}

TEST(JudgeFile, IdentityIsOfTheMembersNotTheirForm) {
  const TestFolder folder;
  const auto identity = [&](const char* text) { return read(folder, text).value().identity(); };
  EXPECT_EQ(identity(R"({"judge": "a", "x": 1})"), identity(R"({ "x":1,"judge":"a"})"));
  EXPECT_NE(identity(R"({"judge": "a", "x": 1})"), identity(R"({"judge": "a", "x": 2})"));
}

TEST(JudgeFile, BadFiles) {
  EXPECT_EQ(JudgeFile::read("no-such-file.json").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(refused(""), ErrorKind::kCorrupt);
  EXPECT_EQ(refused("[]"), ErrorKind::kCorrupt);
  EXPECT_EQ(refused("{}"), ErrorKind::kCorrupt);
  EXPECT_EQ(refused(R"({"judge": 1})"), ErrorKind::kCorrupt);
  EXPECT_EQ(refused(R"({"judge": ""})"), ErrorKind::kCorrupt);
  EXPECT_EQ(refused(R"({"judge": "a b"})"), ErrorKind::kCorrupt);
  EXPECT_EQ(refused(R"({"judge": "a", "name": "../a"})"), ErrorKind::kCorrupt);
  EXPECT_EQ(refused(R"({"judge": "a", "name": ")" + std::string(65, 'a') + "\"}"),
            ErrorKind::kCorrupt);
  EXPECT_EQ(refused(std::string((64 << 10) + 1, ' ')), ErrorKind::kLimit);
}

TEST(JudgeFile, ReadsMembersByType) {
  const TestFolder folder;
  auto file = read(folder, R"({"judge": "a", "t": "text", "n": 3, "l": ["x", "y"], "e": "",
                               "f": "sub/model.gguf"})")
                  .value();
  EXPECT_EQ(file.text("t").value(), "text");
  EXPECT_EQ(file.text("missing").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(file.text("n").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(file.text("e").error().kind, ErrorKind::kCorrupt);
  EXPECT_FALSE(file.optional_text("missing").value());
  EXPECT_EQ(file.integer("n", 1, 0, 3).value(), 3);
  EXPECT_EQ(file.integer("missing", 1, 0, 3).value(), 1);
  EXPECT_EQ(file.integer("n", 1, 0, 2).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(file.texts("l", true).value(), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(file.texts("missing", false).value(), std::vector<std::string>{});
  EXPECT_EQ(file.texts("missing", true).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(file.one_of("t", {"text", "other"}).value(), "text");
  EXPECT_EQ(file.one_of("missing", {"first", "other"}).value(), "first");
  EXPECT_EQ(file.one_of("t", {"other"}).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(file.file("f").value(), folder.path() / "sub/model.gguf");
}

TEST(JudgeFile, MembersThatNobodyAskedForAreErrors) {
  const TestFolder folder;
  auto file = read(folder, R"({"judge": "a", "used": "x", "typo": 1})").value();
  ASSERT_TRUE(file.text("used").ok());
  const Status finished = file.finish();
  ASSERT_FALSE(finished.ok());
  EXPECT_EQ(finished.error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(finished.error().message.find("typo"), std::string::npos);
}

}  // namespace
}  // namespace llmpatch
