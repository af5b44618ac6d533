#include "distribution/lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>

#include "patch/test_patch.h"

namespace llmpatch {
namespace {

class LockTest : public testing::Test {
 protected:
  // Whether another open file could have the lock now.
  bool is_free(int operation) const {
    const int fd = ::open((directory_ / "lock").c_str(), O_RDWR);
    const bool taken = ::flock(fd, operation | LOCK_NB) == 0;
    ::close(fd);
    return taken;
  }

  TestDirectory directory_;
};

TEST_F(LockTest, AdmitsReadersOrOneWriter) {
  {
    const auto held = StoreLock::acquire(directory_ / "lock", LockMode::kShared);
    ASSERT_TRUE(held.ok());
    EXPECT_TRUE(is_free(LOCK_SH));
    EXPECT_FALSE(is_free(LOCK_EX));
  }
  EXPECT_TRUE(is_free(LOCK_EX));
  const auto held = StoreLock::acquire(directory_ / "lock", LockMode::kExclusive);
  ASSERT_TRUE(held.ok());
  EXPECT_FALSE(is_free(LOCK_SH));
}

TEST_F(LockTest, WaitsForItsTurn) {
  auto held = std::optional(StoreLock::acquire(directory_ / "lock", LockMode::kExclusive).value());
  std::atomic<bool> released = false;
  std::thread other([&] {
    EXPECT_TRUE(StoreLock::acquire(directory_ / "lock", LockMode::kExclusive).ok());
    EXPECT_TRUE(released);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  released = true;
  held.reset();
  other.join();
}

TEST_F(LockTest, DoesNotOutliveItsProcess) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = StoreLock::acquire(directory_ / "lock", LockMode::kExclusive);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(is_free(LOCK_EX));
}

TEST_F(LockTest, RefusesALink) {
  std::filesystem::create_symlink("elsewhere", directory_ / "lock");
  expect_error(StoreLock::acquire(directory_ / "lock", LockMode::kShared), ErrorKind::kIo, "lock");
}

}  // namespace
}  // namespace llmpatch
