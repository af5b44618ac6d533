#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/atomic_file.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// Each test has an empty folder of its own.
class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) /
              (std::string("file_test_") + test->name() + "_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path put(const std::string& name, std::string_view text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  std::string get(const fs::path& path) { return read_file(path, 1 << 20, "test").value(); }
  // Everything in the folder, so that a temporary left behind shows.
  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

// While it lives, no file of this process can grow beyond `bytes`: writes fail as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

template <class R>
ErrorKind kind_of(const R& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? ErrorKind::kInternal : result.error().kind;
}

TEST_F(FileTest, ReadsAllBytesUpToTheLimit) {
  const fs::path path = put("a", std::string_view("x\0y\n", 4));
  EXPECT_EQ(read_file(path, 4, "test").value(), std::string_view("x\0y\n", 4));
  EXPECT_EQ(kind_of(read_file(path, 3, "test")), ErrorKind::kLimit);
  EXPECT_EQ(read_file(put("empty", ""), 0, "test").value(), "");
}

TEST_F(FileTest, AMissingFileIsNamedWithItsPurpose) {
  for (const fs::path& path : {folder_ / "none", folder_ / "none" / "x", put("f", "") / "x"}) {
    const auto read = read_file(path, 10, "prompts");
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().kind, ErrorKind::kNotFound);
    EXPECT_NE(read.error().message.find("prompts"), std::string::npos);
    EXPECT_NE(read.error().message.find(path.string()), std::string::npos);
    EXPECT_EQ(kind_of(MappedFile::open(path, "model")), ErrorKind::kNotFound);
  }
}

TEST_F(FileTest, WhatIsNoRegularFileIsRefusedAtOnce) {
  const fs::path fifo = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const fs::path& path : {folder_, fifo, fs::path("/dev/zero")}) {
    EXPECT_EQ(kind_of(read_file(path, 10, "test")), ErrorKind::kInvalidArgument) << path;
    EXPECT_EQ(kind_of(MappedFile::open(path, "test")), ErrorKind::kInvalidArgument) << path;
  }
}

TEST_F(FileTest, ALoopOfLinksIsAnIoError) {
  fs::create_symlink(folder_ / "loop", folder_ / "loop");
  EXPECT_EQ(kind_of(read_file(folder_ / "loop", 10, "test")), ErrorKind::kIo);
}

TEST_F(FileTest, MapsAllBytesAndAnEmptyFile) {
  const auto mapped = MappedFile::open(put("a", "abc"), "test");
  ASSERT_TRUE(mapped.ok());
  ASSERT_EQ(mapped->bytes().size(), 3u);
  EXPECT_EQ(mapped->bytes()[2], std::byte{'c'});
  EXPECT_TRUE(MappedFile::open(put("empty", ""), "test").value().bytes().empty());
}

TEST_F(FileTest, AMappingMovesWithItsBytes) {
  MappedFile first = MappedFile::open(put("a", "abc"), "test").value();
  MappedFile second = MappedFile::open(put("b", "defg"), "test").value();
  first = std::move(second);
  ASSERT_EQ(first.bytes().size(), 4u);
  EXPECT_EQ(first.bytes()[0], std::byte{'d'});
}

TEST_F(FileTest, WritesAndReplaces) {
  const fs::path path = folder_ / "a";
  ASSERT_TRUE(write_file_atomic(path, "one", Overwrite::kNo).ok());
  EXPECT_EQ(kind_of(write_file_atomic(path, "two", Overwrite::kNo)), ErrorKind::kExists);
  EXPECT_EQ(get(path), "one");
  ASSERT_TRUE(write_file_atomic(path, "two").ok());
  EXPECT_EQ(get(path), "two");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, ADanglingLinkExistsToo) {
  fs::create_symlink(folder_ / "nowhere", folder_ / "link");
  EXPECT_EQ(kind_of(write_file_atomic(folder_ / "link", "x", Overwrite::kNo)), ErrorKind::kExists);
}

TEST_F(FileTest, AWriteThatFailsHalfwayLeavesTheOldFileAndNothingElse) {
  const fs::path path = put("a", "old");
  {
    const FileSizeLimit full(1000);
    const Status status = write_file_atomic(path, std::string(5000, 'x'));
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::kIo);
    EXPECT_NE(status.error().message.find(path.string()), std::string::npos);
  }
  EXPECT_EQ(get(path), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, AFileInPiecesAppearsWholeOrNotAtAll) {
  const fs::path path = folder_ / "model";
  {
    auto file = AtomicFile::create(path, Overwrite::kNo).value();
    ASSERT_TRUE(file.append("one ").ok());
    ASSERT_TRUE(file.append("two").ok());
    EXPECT_FALSE(fs::exists(path));
    ASSERT_TRUE(file.commit().ok());
  }
  EXPECT_EQ(get(path), "one two");
  EXPECT_EQ(AtomicFile::create(path, Overwrite::kNo).error().kind, ErrorKind::kExists);
  {
    auto dropped = AtomicFile::create(path, Overwrite::kYes).value();
    ASSERT_TRUE(dropped.append("three").ok());
    const AtomicFile moved = std::move(dropped);
  }
  EXPECT_EQ(get(path), "one two");
  EXPECT_EQ(entries(), 1U);
  {
    const FileSizeLimit limit(2);
    auto full = AtomicFile::create(path, Overwrite::kYes).value();
    EXPECT_EQ(full.append("three").error().kind, ErrorKind::kIo);
  }
  EXPECT_EQ(get(path), "one two");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(FileTest, ANewFileHasItsPermissionsAndReplacesNothing) {
  const fs::path path = folder_ / "secret";
  ASSERT_TRUE(write_new_file(path, "first", 0600).ok());
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(write_new_file(path, "second", 0600).error().kind, ErrorKind::kExists);
  EXPECT_EQ(get(path), "first");
  fs::create_symlink("nowhere", folder_ / "dangling");
  EXPECT_EQ(write_new_file(folder_ / "dangling", "x", 0600).error().kind, ErrorKind::kExists);
  EXPECT_EQ(entries(), 2u);
}

TEST_F(FileTest, ANewFileOnAFullDiskLeavesNothing) {
  const FileSizeLimit limit(4);
  EXPECT_EQ(write_new_file(folder_ / "secret", "longer than that", 0600).error().kind,
            ErrorKind::kIo);
  EXPECT_EQ(entries(), 0u);
}

TEST_F(FileTest, AWriteToNoFolderOrOverAFolderFails) {
  EXPECT_EQ(kind_of(write_file_atomic(folder_ / "none" / "a", "x")), ErrorKind::kIo);
  fs::create_directories(folder_ / "dir" / "full");
  EXPECT_EQ(kind_of(write_file_atomic(folder_ / "dir", "x")), ErrorKind::kIo);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, AStagedDirectoryAppearsWhole) {
  const fs::path target = folder_ / "patch";
  {
    auto staged = StagedDirectory::create(target, Overwrite::kNo);
    ASSERT_TRUE(staged.ok());
    ASSERT_TRUE(write_file_atomic(staged->path() / "a", "1").ok());
    EXPECT_FALSE(fs::exists(target));
    ASSERT_TRUE(staged->commit().ok());
  }
  EXPECT_EQ(get(target / "a"), "1");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, AStagedDirectoryThatIsNotCommittedIsGone) {
  {
    auto staged = StagedDirectory::create(folder_ / "patch", Overwrite::kNo);
    ASSERT_TRUE(staged.ok());
    const StagedDirectory moved = std::move(*staged);
    ASSERT_TRUE(write_file_atomic(moved.path() / "a", "1").ok());
    EXPECT_EQ(entries(), 1u);
  }
  EXPECT_EQ(entries(), 0u);
}

TEST_F(FileTest, AStagedDirectoryReplacesTheOldOneWholly) {
  const fs::path target = folder_ / "patch";
  fs::create_directories(target);
  put("patch/old", "1");
  EXPECT_EQ(kind_of(StagedDirectory::create(target, Overwrite::kNo)), ErrorKind::kExists);
  auto staged = StagedDirectory::create(target / "", Overwrite::kYes);  // "patch/" is "patch"
  ASSERT_TRUE(staged.ok());
  ASSERT_TRUE(write_file_atomic(staged->path() / "new", "2").ok());
  ASSERT_TRUE(staged->commit().ok());
  EXPECT_FALSE(fs::exists(target / "old"));
  EXPECT_EQ(get(target / "new"), "2");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, WhatAKilledRunLeftIsStagedOver) {
  const fs::path target = folder_ / "patch";
  const fs::path left = target.string() + ".partial-" + std::to_string(::getpid());
  fs::create_directories(left);
  std::ofstream(left / "half") << "x";
  auto staged = StagedDirectory::create(target, Overwrite::kNo);
  ASSERT_TRUE(staged.ok());
  ASSERT_TRUE(staged->commit().ok());
  EXPECT_FALSE(fs::exists(target / "half"));
}

TEST_F(FileTest, AStagedDirectoryUnderAFileFails) {
  EXPECT_EQ(kind_of(StagedDirectory::create(put("f", "") / "patch", Overwrite::kNo)),
            ErrorKind::kIo);
}

}  // namespace
}  // namespace llmpatch
