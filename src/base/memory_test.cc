#include "base/memory.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/file.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1 << 20;

class UsableMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) /
            ("usable_memory_" +
             std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    write("proc/meminfo",
          "MemTotal:       8192000 kB\nMemFree:  100 kB\nMemAvailable:    4096000 kB\n");
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const fs::path& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    ASSERT_TRUE(write_file_atomic(root_ / path, text).ok());
  }

  fs::path root_;
};

TEST_F(UsableMemory, IsTheMachinesWithoutControlGroups) {
  const Memory found = usable_memory(root_);
  EXPECT_EQ(found.total, 8000 * kMiB);
  EXPECT_EQ(found.available, 4000 * kMiB);
}

TEST_F(UsableMemory, IsUnknownWithoutMeminfo) {
  EXPECT_EQ(usable_memory(root_ / "nowhere").total, 0u);
  EXPECT_EQ(usable_memory(root_ / "nowhere").available, 0u);
}

TEST_F(UsableMemory, IsWhatTheTightestGroupOfVersion2Leaves) {
  write("proc/self/cgroup", "0::/system.slice/llmpatch.service\n");
  write("sys/fs/cgroup/system.slice/memory.max", "2147483648\n");
  write("sys/fs/cgroup/system.slice/memory.current", std::to_string(600 * kMiB) + "\n");
  // Files that were read can be given up; shared memory, which "file" counts too, cannot.
  write("sys/fs/cgroup/system.slice/memory.stat",
        "anon 1\nfile 500000000\nactive_file " + std::to_string(50 * kMiB) + "\ninactive_file " +
            std::to_string(250 * kMiB) + "\n");
  write("sys/fs/cgroup/system.slice/llmpatch.service/memory.max", "max\n");
  write("sys/fs/cgroup/system.slice/llmpatch.service/memory.current", "1\n");
  EXPECT_EQ(usable_memory(root_).total, 2048 * kMiB);
  EXPECT_EQ(usable_memory(root_).available, (2048 - 300) * kMiB);

  write("sys/fs/cgroup/system.slice/llmpatch.service/memory.max", "1073741824\n");
  EXPECT_EQ(usable_memory(root_).total, 1024 * kMiB);
  EXPECT_EQ(usable_memory(root_).available, 1024 * kMiB - 1);
}

TEST_F(UsableMemory, IsNothingWhereAGroupIsFull) {
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", "1048576\n");
  write("sys/fs/cgroup/memory.current", "2097152\n");
  EXPECT_EQ(usable_memory(root_).available, 0u);
}

TEST_F(UsableMemory, IsWhatAGroupOfVersion1Leaves) {
  // As in a container without a namespace of its own: the machine's path is not mounted there.
  write("proc/self/cgroup", "5:cpu,cpuacct:/other\n4:memory:/docker/abc\n0::/docker/abc\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", std::to_string(100 * kMiB) + "\n");
  write("sys/fs/cgroup/memory/memory.stat",
        "active_file 7\ntotal_active_file 1048576\ntotal_inactive_file 1048576\n");
  EXPECT_EQ(usable_memory(root_).total, 1024 * kMiB);
  EXPECT_EQ(usable_memory(root_).available, (1024 - 98) * kMiB);
}

TEST_F(UsableMemory, StaysBelowTheMountWhateverAGroupIsCalled) {
  write("proc/self/cgroup", "0::/../../outside\nnonsense\n:\n");
  write("outside/memory.max", "1\n");
  write("outside/memory.current", "1\n");
  EXPECT_EQ(usable_memory(root_).total, 8000 * kMiB);
}

TEST(ResidentBytes, AreWhatTheProcessHoldsAtLeast) {
  const std::vector<char> held(64 * kMiB, 'x');
  EXPECT_GE(resident_bytes(), held.size());
  EXPECT_LE(resident_bytes(), usable_memory().total);
}

}  // namespace
}  // namespace llmpatch
