#include "learn/run_directory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/file.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class RunDirectoryTest : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove_all(path_); }
  static std::vector<StageRecord> stages(int tokens, double rate) {
    return {{"samples", {}, {{"max_tokens", tokens}}, {"samples.jsonl"}},
            {"sft", {"samples"}, {{"peak", rate}}, {"sft.state"}}};
  }
  void touch(const std::string& name) { std::ofstream(path_ / name) << "x"; }
  fs::path path_ = fs::temp_directory_path() / ("llmpatch-run-" + std::to_string(::getpid()));
};

TEST_F(RunDirectoryTest, KeepsWhatIsDoneAndRedoesWhatAChangedSettingTouches) {
  {
    auto run = RunDirectory::open(path_);
    ASSERT_TRUE(run.ok()) << run.error().to_string();
    ASSERT_TRUE(run->adopt(stages(16, 0.01)).ok());
    touch("samples.jsonl");
    touch("sft.state");
    ASSERT_TRUE(run->set_done("samples").ok());
    ASSERT_TRUE(run->set_done("sft").ok());
  }
  {
    auto run = RunDirectory::open(path_);
    ASSERT_TRUE(run.ok());
    const auto same = run->adopt(stages(16, 0.01));
    ASSERT_TRUE(same.ok());
    EXPECT_TRUE(same->empty());
    EXPECT_TRUE(run->done("sft"));
    const auto later = run->adopt(stages(16, 0.02));
    ASSERT_TRUE(later.ok());
    ASSERT_EQ(later->size(), 1u);
    EXPECT_EQ(later->front(), "sft.peak: 0.01 -> 0.02 (redoing sft)");
    EXPECT_TRUE(run->done("samples"));
    EXPECT_FALSE(run->done("sft"));
    EXPECT_TRUE(fs::exists(path_ / "samples.jsonl"));
    EXPECT_FALSE(fs::exists(path_ / "sft.state"));
    const auto earlier = run->adopt(stages(24, 0.02));
    ASSERT_TRUE(earlier.ok());
    EXPECT_EQ(earlier->front(), "samples.max_tokens: 16 -> 24 (redoing samples, sft)");
    EXPECT_FALSE(fs::exists(path_ / "samples.jsonl"));
  }
}

TEST_F(RunDirectoryTest, TakesStagesOfTheSameSettingsThatAnotherRunShared) {
  const TestDirectory folder;
  const auto run_in = [&](const std::string& name, double rate) {
    auto run = RunDirectory::open(folder / name);
    EXPECT_TRUE(run.ok() && run->share(folder / "shared").ok() &&
                run->adopt(stages(16, rate)).ok());
    return std::move(run).value();
  };
  {
    RunDirectory first = run_in("first", 0.01);
    EXPECT_FALSE(first.done("samples"));
    for (const char* file : {"samples.jsonl", "sft.state"}) {
      ASSERT_TRUE(write_file_atomic(first.file(file), file).ok());
    }
    ASSERT_TRUE(first.set_done("samples").ok());
    ASSERT_TRUE(first.set_done("sft").ok());
  }
  const RunDirectory same = run_in("same", 0.01);
  EXPECT_TRUE(same.done("samples"));
  EXPECT_TRUE(same.done("sft"));
  EXPECT_EQ(read_file(same.file("sft.state"), 100, "state").value(), "sft.state");
  const RunDirectory other = run_in("other", 0.02);
  EXPECT_TRUE(other.done("samples"));
  EXPECT_FALSE(other.done("sft"));
  EXPECT_FALSE(fs::exists(other.file("sft.state")));
}

TEST_F(RunDirectoryTest, IsHeldByOneProcess) {
  const auto first = RunDirectory::open(path_);
  ASSERT_TRUE(first.ok());
  const auto second = RunDirectory::open(path_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::kLimit);
}

TEST_F(RunDirectoryTest, RefusesAFolderWithOtherFiles) {
  fs::create_directories(path_);
  touch("thesis.txt");
  const auto run = RunDirectory::open(path_);
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_TRUE(fs::exists(path_ / "thesis.txt"));
}

TEST_F(RunDirectoryTest, NamesBrokenSettings) {
  fs::create_directories(path_);
  std::ofstream(path_ / "settings.json") << "{\"stages\": 3}";
  const auto run = RunDirectory::open(path_);
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().kind, ErrorKind::kCorrupt);
}

TEST_F(RunDirectoryTest, RewindsMetricsOfOneStageAndDropsACutLine) {
  auto run = RunDirectory::open(path_);
  ASSERT_TRUE(run.ok());
  for (const char* line : {R"({"stage":"sft","step":1})", R"({"stage":"sft","step":2})",
                           R"({"stage":"dpo","step":1})", R"({"stage":"dpo","step":2})"}) {
    ASSERT_TRUE(run->log(line).ok());
  }
  std::ofstream(path_ / "metrics.jsonl", std::ios::app) << "{\"stage\":\"dp";
  ASSERT_TRUE(run->rewind_metrics("dpo", 1).ok());
  EXPECT_EQ(read_file(path_ / "metrics.jsonl", 4096, "metrics").value(),
            "{\"stage\":\"sft\",\"step\":1}\n{\"stage\":\"sft\",\"step\":2}\n{\"stage\":\"dpo\","
            "\"step\":1}\n");
}

}  // namespace
}  // namespace llmpatch
