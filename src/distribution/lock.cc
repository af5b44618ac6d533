#include "distribution/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace llmpatch {
namespace {

// Each operation takes milliseconds: whoever holds the lock for longer has been stopped.
constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kPause = std::chrono::milliseconds(10);

}  // namespace

Result<StoreLock> StoreLock::acquire(const std::filesystem::path& file, LockMode mode) {
  StoreLock lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  const auto io_error = [&](const char* action) {
    return make_error(ErrorKind::kIo, "store",
                      std::string(action) + " " + file.string() + ": " + std::strerror(errno));
  };
  if (lock.fd_ < 0) return io_error("open");
  const int wanted = (mode == LockMode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (::flock(lock.fd_, wanted) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return io_error("lock");
    if (std::chrono::steady_clock::now() > deadline) {
      return make_error(ErrorKind::kLimit, "store",
                        "lock " + file.string() + ": found it held by another process",
                        "wait for the other llmpatch to end, then try again");
    }
    std::this_thread::sleep_for(kPause);
  }
  return lock;
}

StoreLock::StoreLock(StoreLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

StoreLock::~StoreLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace llmpatch
