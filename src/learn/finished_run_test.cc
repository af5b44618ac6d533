#include "learn/finished_run.h"

#include "learn/test_run.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class FinishedRunTest : public ::testing::Test {
 protected:
  void SetUp() override { make_test_run(path_, {}); }
  std::string text_of(const char* file) const {
    return read_file(path_ / file, 1 << 20, "test").value();
  }
  void replace(const char* file, const std::string& from, const std::string& to) const {
    std::string text = text_of(file);
    ASSERT_NE(text.find(from), std::string::npos) << file << ": " << from;
    text.replace(text.find(from), from.size(), to);
    write_test_file(path_ / file, text);
  }
  void fails(ErrorKind kind, const std::string& says) const {
    const auto run = read_finished_run(path_);
    ASSERT_FALSE(run.ok()) << says;
    EXPECT_EQ(run.error().kind, kind) << run.error().to_string();
    EXPECT_NE(run.error().to_string().find(says), std::string::npos) << run.error().to_string();
  }
  TestDirectory directory_;
  fs::path path_ = directory_ / "run";
};

std::vector<std::string> texts_of(const PromptList& list) {
  std::vector<std::string> texts;
  for (const Prompt& prompt : list.prompts) texts.push_back(prompt.text());
  return texts;
}

TEST_F(FinishedRunTest, IsReadAsItWasRecorded) {
  const auto run = read_finished_run(path_);
  ASSERT_TRUE(run.ok()) << run.error().to_string();
  EXPECT_EQ(run->patch, "tester@1.0.0");
  EXPECT_EQ(run->risk, "toxicity");
  EXPECT_EQ(run->base, std::string(64, 'a'));
  EXPECT_EQ(run->judge, "refusal");
  EXPECT_EQ(run->validate_tokens, 6);
  EXPECT_EQ(run->validate_samples, 2);
  EXPECT_EQ(run->retain_tokens, 9);
  EXPECT_EQ(texts_of(run->pairs), (std::vector<std::string>{"p1", "p2", "p3"}));
  EXPECT_EQ(run->pairs.prompts[1].fields["chosen"], "good p2");
  EXPECT_EQ(run->pairs.formats, std::vector<PromptFormat>(3, PromptFormat::kRaw));
  EXPECT_EQ(texts_of(run->retain), (std::vector<std::string>{"r1", "r2"}));
  EXPECT_EQ(run->retain.formats, std::vector<PromptFormat>(2, PromptFormat::kRaw));
  ASSERT_EQ(run->retain.answers.size(), 2U);
  EXPECT_NE(run->retain.answers[1].find("answer to r2"), std::string::npos);
  EXPECT_EQ(texts_of(run->validate), std::vector<std::string>{"v1"});
  EXPECT_EQ(texts_of(run->validate_retain), (std::vector<std::string>{"b1", "b2"}));
  EXPECT_TRUE(run->corrections.empty());
  EXPECT_EQ(file_of(*run, "pairs.jsonl"), "toxicity.pairs.jsonl");
}

TEST_F(FinishedRunTest, KeepsItsRecordWhenItIsOpenedAgain) {
  { ASSERT_TRUE(RunDirectory::open(path_)->adopt(test_stages({})).ok()); }
  EXPECT_TRUE(read_finished_run(path_).ok());
}

TEST_F(FinishedRunTest, IsRefusedWhereItIsNotFinished) {
  replace("settings.json", "\"done\": true", "\"done\": false");
  fails(ErrorKind::kInvalidArgument, "not done, expected a finished run");
}

TEST_F(FinishedRunTest, IsRefusedWhereItIsNone) {
  write_test_file(path_ / "settings.json", R"({"stages": {}, "seconds": []})");
  fails(ErrorKind::kInvalidArgument, "expected a run that learned a patch");
  fs::remove_all(path_);
  fails(ErrorKind::kNotFound, "joint run");
}

TEST_F(FinishedRunTest, IsRefusedWithoutARecord) {
  replace("settings.json", "\"about\"", "\"other\"");
  fails(ErrorKind::kInvalidArgument, "found no record of its prompts");
}

TEST_F(FinishedRunTest, IsRefusedWhereItIsJointItself) {
  replace("settings.json", "\"margin\": 0.5", "\"runs\": []");
  fails(ErrorKind::kInvalidArgument, "found a joint run");
}

TEST_F(FinishedRunTest, RefusesPromptsThatWereChanged) {
  const std::string inputs = text_of("inputs.jsonl");
  for (const char* text : {"r2", "v1", "b1"}) {
    replace("inputs.jsonl", text, "changed");
    fails(ErrorKind::kCorrupt, "found other prompts");
    write_test_file(path_ / "inputs.jsonl", inputs);
  }
  replace("inputs.jsonl", "\"set\":\"validate\"", "\"set\":\"test\"");
  fails(ErrorKind::kCorrupt, "member 'set'");
}

TEST_F(FinishedRunTest, RefusesAnswersThatDoNotFit) {
  write_test_file(path_ / "retain.jsonl", answer_lines({"r1"}));
  fails(ErrorKind::kCorrupt, "found 1 lines, expected 2");
}

TEST_F(FinishedRunTest, RefusesSettingsOfOtherForms) {
  const std::string settings = text_of("settings.json");
  const std::pair<const char*, const char*> changes[] = {
      {"\"toxicity\"", "\"../../outside\""},
      {"\"toxicity\"", "7"},
      {"\"validate_tokens\": 6", "\"validate_tokens\": 0"},
      {"\"validate_samples\": 2", "\"validate_samples\": -1"},
      {"\"retain_tokens\": 9", "\"retain_tokens\": 4294967297"},
      {"\"done\": true", "\"done\": 1"},
      {"\"settings\": {", "\"settings\": 5, \"others\": {"},
  };
  for (const auto& [from, to] : changes) {
    replace("settings.json", from, to);
    fails(ErrorKind::kCorrupt, "settings.json");
    write_test_file(path_ / "settings.json", settings);
  }
  for (const char* text : {"[]", "{\"stages\": {\"sft\": []}}", "{\"stages\": 4}", "{"}) {
    write_test_file(path_ / "settings.json", text);
    fails(ErrorKind::kCorrupt, "settings.json");
  }
}

}  // namespace
}  // namespace llmpatch
