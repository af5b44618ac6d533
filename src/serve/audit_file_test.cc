#include "serve/audit_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "base/file.h"
#include "judge/test_files.h"
#include "serve/test_http_server.h"

namespace llmpatch {
namespace {

class AuditFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<AuditFile> open(std::size_t most_kept = 64 << 20) {
    auto file = AuditFile::open(
        path_,
        [this](std::string_view event, const OrderedJson& fields) {
          const std::lock_guard lock(mutex_);
          reports_.push_back(OrderedJson{{"event", event}, {"fields", fields}});
        },
        most_kept);
    EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().to_string());
    return file.ok() ? std::move(*file) : nullptr;
  }
  // A device on which every write fails stands where the file should.
  void break_file() const { std::filesystem::create_symlink("/dev/full", path_); }
  void mend_file() const { std::filesystem::remove(path_); }

  std::string written() const { return written(path_); }
  static std::string written(const std::filesystem::path& path) {
    const auto text = read_file(path, 1 << 20, "audit");
    EXPECT_TRUE(text.ok());
    return text.ok() ? *text : "";
  }
  std::vector<std::string> events() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> events;
    for (const OrderedJson& each : reports_) events.push_back(each["event"].get<std::string>());
    return events;
  }

  TestFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "audit.jsonl";
  mutable std::mutex mutex_;
  std::vector<OrderedJson> reports_;
};

using Events = std::vector<std::string>;

TEST_F(AuditFileTest, AppendsLinesInTheirOrder) {
  folder_.write("audit.jsonl", "before\n");
  auto file = open();
  std::string expected = "before\n";
  for (int i = 0; i < 50; ++i) {
    file->write(std::to_string(i));
    expected += std::to_string(i) + "\n";
  }
  file.reset();
  EXPECT_EQ(written(), expected);
  EXPECT_EQ(events(), Events{});
}

TEST_F(AuditFileTest, IsItsOwnersAlone) {
  open();
  struct stat about {};
  ASSERT_EQ(::stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
}

TEST_F(AuditFileTest, EndsALineThatWasLeftUnfinished) {
  folder_.write("audit.jsonl", "whole\nhal");
  auto file = open();
  file->write("next");
  file->write("last");
  file.reset();
  EXPECT_EQ(written(), "whole\nhal\nnext\nlast\n");
}

TEST_F(AuditFileTest, IsRefusedWhereItCannotBeOpened) {
  const auto file = AuditFile::open(folder_.path(), [](std::string_view, const OrderedJson&) {});
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().kind, ErrorKind::kIo);
}

TEST_F(AuditFileTest, KeepsWhatItCannotWriteUntilItCan) {
  break_file();
  auto file = open();
  for (const char* line : {"one", "two", "three"}) file->write(line);
  EXPECT_TRUE(eventually([&] { return file->is_failing(); }));
  mend_file();
  ASSERT_TRUE(file->reopen().ok());
  EXPECT_TRUE(eventually([&] { return !file->is_failing(); }));
  file->write("four");
  file.reset();
  EXPECT_EQ(written(), "one\ntwo\nthree\nfour\n");
  EXPECT_EQ(events(), (Events{"audit_failed", "audit_recovered"}));
  const auto reason = reports_[0]["fields"]["reason"].get<std::string>();
  EXPECT_NE(reason.find("No space left on device"), std::string::npos) << reason;
  EXPECT_NE(reason.find(path_.string()), std::string::npos) << reason;
}

TEST_F(AuditFileTest, LetsWritersWaitWhileThereIsNoRoom) {
  break_file();
  auto file = open(4);  // two lines
  std::atomic<int> taken = 0;
  std::string expected;
  for (int i = 0; i < 6; ++i) expected += std::to_string(i) + "\n";
  std::thread writer([&] {
    for (int i = 0; i < 6; ++i) {
      file->write(std::to_string(i));
      ++taken;
    }
  });
  EXPECT_TRUE(eventually([&] { return taken == 2 && file->is_failing(); }));
  EXPECT_EQ(taken.load(), 2);
  mend_file();
  ASSERT_TRUE(file->reopen().ok());
  writer.join();
  file.reset();
  EXPECT_EQ(written(), expected);
  EXPECT_EQ(events(), (Events{"audit_failed", "audit_recovered"}));
}

TEST_F(AuditFileTest, SaysAtItsEndWhatIsLost) {
  break_file();
  auto file = open(8);
  for (const char* line : {"one", "two"}) file->write(line);
  std::thread writer([&] { file->write("three"); });
  file->stop_waiting_at(std::chrono::steady_clock::now());
  writer.join();
  file->write("four");
  file.reset();
  EXPECT_EQ(events(), (Events{"audit_failed", "audit_lost"}));
  EXPECT_EQ(reports_.back()["fields"]["lines"], 4);
}

TEST_F(AuditFileTest, TriesOnceMoreAtItsEnd) {
  break_file();
  auto file = open();
  file->write("one");
  EXPECT_TRUE(eventually([&] { return file->is_failing(); }));
  mend_file();
  ASSERT_TRUE(file->reopen().ok());
  file.reset();
  EXPECT_EQ(written(), "one\n");
  EXPECT_EQ(events(), (Events{"audit_failed", "audit_recovered"}));
}

// The kernel takes a long line for a pipe in parts.
TEST_F(AuditFileTest, GoesOnWithALineThatWasWrittenInPart) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  const Descriptor reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_GE(reader.get(), 0);
  ASSERT_GE(::fcntl(reader.get(), F_SETPIPE_SZ, 4096), 4096);
  auto file = open();
  std::string expected;
  for (const std::size_t size : {50000u, 3u, 20000u}) {
    const std::string line(size, static_cast<char>('a' + expected.size() % 7));
    file->write(line);
    expected += line + "\n";
  }
  std::string found;
  const auto read_more = [&] {
    char piece[1000];
    const ssize_t size = ::read(reader.get(), piece, sizeof piece);
    if (size > 0) found.append(piece, static_cast<std::size_t>(size));
    return size > 0;
  };
  // It is full before anything is read.
  EXPECT_TRUE(eventually([&] { return file->is_failing(); }));
  EXPECT_TRUE(eventually([&] {
    while (read_more()) {
    }
    return found.size() >= expected.size();
  }));
  EXPECT_EQ(found, expected);
  file.reset();
  EXPECT_EQ(events(), (Events{"audit_failed", "audit_recovered"}));
}

// What was written of a line to the old file does not count in the new one.
TEST_F(AuditFileTest, WritesALineWholeIntoTheNextFile) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  const Descriptor reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_GE(reader.get(), 0);
  auto file = open();
  const std::string line(2 << 20, 'x');  // more than any pipe takes
  file->write(line);
  EXPECT_TRUE(eventually([&] { return file->is_failing(); }));
  mend_file();
  ASSERT_TRUE(file->reopen().ok());
  file.reset();
  const auto text = read_file(path_, 4 << 20, "audit");
  ASSERT_TRUE(text.ok());
  EXPECT_TRUE(*text == line + "\n");
}

TEST_F(AuditFileTest, FailsWhereAPipeIsReadNoMore) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  Descriptor reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_GE(reader.get(), 0);
  auto file = open();
  reader.close();
  file->write("to nobody");
  EXPECT_TRUE(eventually([&] { return file->is_failing(); }));
  file.reset();
  EXPECT_EQ(events(), (Events{"audit_failed", "audit_lost"}));
}

TEST_F(AuditFileTest, IsOpenedAnewForTheLinesThatCome) {
  const std::filesystem::path moved = folder_.path() / "old.jsonl";
  auto file = open();
  file->write("one");
  std::filesystem::rename(path_, moved);
  file->write("two");
  ASSERT_TRUE(file->reopen().ok());
  file->write("three");
  file.reset();
  EXPECT_EQ(written(moved), "one\ntwo\n");
  EXPECT_EQ(written(), "three\n");
}

TEST_F(AuditFileTest, StaysWithTheOldFileWhereTheNewOneCannotBeOpened) {
  const std::filesystem::path moved = folder_.path() / "old.jsonl";
  auto file = open();
  std::filesystem::rename(path_, moved);
  std::filesystem::create_directory(path_);
  EXPECT_FALSE(file->reopen().ok());
  file->write("one");
  file.reset();
  EXPECT_EQ(written(moved), "one\n");
}

}  // namespace
}  // namespace llmpatch
