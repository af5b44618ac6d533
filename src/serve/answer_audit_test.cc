#include "serve/answer_audit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "judge/test_files.h"
#include "serve/patch_table.h"

namespace llmpatch {
namespace {

// Flags answers that say "bad", gives no verdict on those that say "what", fails on "broken".
class WordJudge : public Judge {
 public:
  // Waits for `ready` before it judges.
  explicit WordJudge(std::shared_future<void> ready = {}) : ready_(std::move(ready)) {}
  std::string_view name() const override { return "word"; }
  Result<std::vector<double>> score(std::span<const JudgeItem> items) const override {
    LLMPATCH_ASSIGN(const std::vector<Verdict> found, verdicts(items));
    return scores_of(found);
  }
  Result<std::vector<Verdict>> verdicts(std::span<const JudgeItem> items) const override {
    if (ready_.valid()) ready_.wait();
    std::vector<Verdict> found;
    for (const JudgeItem& item : items) {
      if (item.response == "broken") return make_error(ErrorKind::kIo, "judge", "no answer");
      found.push_back({item.response == "bad" ? 0.9 : 0.1, item.response != "what"});
    }
    return found;
  }

 private:
  std::shared_future<void> ready_;
};

// Asks for refusals, which begin with "no".
class NoJudge : public Judge {
 public:
  std::string_view name() const override { return "word"; }
  bool wants_refusals() const override { return true; }
  Result<std::vector<double>> score(std::span<const JudgeItem> items) const override {
    std::vector<double> scores;
    for (const JudgeItem& item : items) scores.push_back(item.response.starts_with("no") ? 0 : 1);
    return scores;
  }
};

class AnswerAuditTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto log = RequestLog::open(file_);
    ASSERT_TRUE(log.ok()) << log.error().message;
    log_ = std::move(*log);
  }

  AnswerAudit make(std::vector<std::unique_ptr<Judge>> judges, bool text) {
    return AnswerAudit(std::move(judges), text, *log_, metrics_);
  }
  static std::vector<std::unique_ptr<Judge>> judging(std::shared_future<void> ready = {}) {
    std::vector<std::unique_ptr<Judge>> judges;
    judges.push_back(std::make_unique<WordJudge>(std::move(ready)));
    return judges;
  }

  // The events of the audit file.
  std::vector<Json> events() {
    log_.reset();
    const auto text = read_file(file_, 1 << 20, "audit");
    EXPECT_TRUE(text.ok());
    std::vector<Json> found;
    std::size_t begin = 0;
    for (std::size_t end; (end = text->find('\n', begin)) != std::string::npos; begin = end + 1) {
      found.push_back(*parse_json(text->substr(begin, end - begin), "audit"));
    }
    return found;
  }
  // How often `verdict` was counted for answers behind `patch`.
  int counted(const std::string& patch, const std::string& verdict) {
    Metrics::Now now;
    now.table = std::make_shared<PatchTable>();
    const std::string text = metrics_.text(now);
    int count = 0;
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string line = text.substr(begin, end - begin);
      if (line.find("judge=\"word\"") == std::string::npos) continue;
      if (line.find("patch=\"" + patch + "\"") == std::string::npos) continue;
      if (line.find("\"" + verdict + "\"") == std::string::npos) continue;
      count += std::stoi(line.substr(line.rfind(' ') + 1));
    }
    return count;
  }

  TestFolder folder_;
  std::filesystem::path file_ = folder_.path() / "audit.jsonl";
  std::unique_ptr<RequestLog> log_;
  Metrics metrics_;
};

TEST_F(AnswerAuditTest, WithoutJudgesAndTextThereIsNothingToTake) {
  EXPECT_FALSE(make({}, false).is_on());
  EXPECT_TRUE(make({}, true).is_on());
  EXPECT_TRUE(make(judging(), false).is_on());
}

TEST_F(AnswerAuditTest, CountsAndWritesWhatAJudgeFindsWithoutTheText) {
  AnswerAudit audit = make(judging(), false);
  audit.take({"1", {"refuse@1.0.0"}, "the prompt", "bad"});
  audit.take({"2", {"refuse@1.0.0"}, "the prompt", "good"});
  audit.take({"3", {}, "the prompt", "what"});
  audit.take({"4", {}, "the prompt", "broken"});
  audit.close();

  EXPECT_EQ(counted("refuse@1.0.0", "flagged"), 1);
  EXPECT_EQ(counted("refuse@1.0.0", "safe"), 1);
  EXPECT_EQ(counted("none", "none"), 2);
  const std::vector<Json> found = events();
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0]["id"], "1");
  EXPECT_EQ(found[0]["verdict"], "flagged");
  EXPECT_EQ(found[1]["verdict"], "safe");
  EXPECT_EQ(found[2]["verdict"], "none");
  EXPECT_FALSE(found[2].contains("error"));
  EXPECT_EQ(found[3]["verdict"], "none");
  EXPECT_EQ(found[3]["error"], "no answer");
  for (const Json& each : found) EXPECT_EQ(json_line(each).find("the prompt"), std::string::npos);
}

TEST_F(AnswerAuditTest, SaysOfAJudgeThatWantsRefusalsWhatWasRefused) {
  std::vector<std::unique_ptr<Judge>> judges;
  judges.push_back(std::make_unique<NoJudge>());
  AnswerAudit audit = make(std::move(judges), false);
  audit.take({"1", {}, "the prompt", "no, never"});
  audit.take({"2", {}, "the prompt", "here it is"});
  audit.close();
  for (const char* verdict : {"refused", "answered"}) EXPECT_EQ(counted("none", verdict), 1);
  for (const char* verdict : {"safe", "flagged"}) EXPECT_EQ(counted("none", verdict), 0);
  const std::vector<Json> found = events();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0]["verdict"], "refused");
  EXPECT_EQ(found[1]["verdict"], "answered");
}

TEST_F(AnswerAuditTest, TakesWhatWasSentOfAnAnswerThatWasCut) {
  AnswerAudit audit = make(judging(), true);
  audit.take({"1", {}, "the prompt", "bad", true});
  audit.take({"2", {}, "the prompt", "", true});
  audit.close();
  EXPECT_EQ(counted("none", "flagged"), 1);
  EXPECT_EQ(counted("none", "safe"), 0);
  const std::vector<Json> found = events();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0]["event"], "text");
  EXPECT_EQ(found[0]["response"], "bad");
  EXPECT_EQ(found[0]["cut"], true);
  EXPECT_EQ(found[1]["event"], "judged");
}

TEST_F(AnswerAuditTest, WritesTheTextWhereItWasAskedFor) {
  AnswerAudit audit = make({}, true);
  audit.take({"1", {"refuse@1.0.0"}, "the prompt", "the answer"});
  audit.close();
  const std::vector<Json> found = events();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0]["prompt"], "the prompt");
  EXPECT_EQ(found[0]["response"], "the answer");
  EXPECT_FALSE(found[0].contains("cut"));
  EXPECT_EQ(found[0]["patches"], Json::array({"refuse@1.0.0"}));
}

TEST_F(AnswerAuditTest, LeavesAnswersOutWhereTheJudgeCannotKeepUp) {
  std::promise<void> ready;
  AnswerAudit audit = make(judging(ready.get_future().share()), false);
  for (int i = 0; i < 300; ++i) audit.take({"1", {}, "the prompt", "bad"});
  ready.set_value();
  audit.close();
  const int judged = counted("none", "flagged"), skipped = counted("none", "skipped");
  EXPECT_EQ(judged + skipped, 300);
  EXPECT_GE(judged, 256);
  EXPECT_LE(judged, 257);  // the one that is being judged does not wait any more
}

}  // namespace
}  // namespace llmpatch
