// The lock of a store: many readers or one writer, across processes.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace llmpatch {

enum class LockMode {
  kShared,     // files that the database names stay where they are
  kExclusive,  // nobody else reads or writes
};

// An advisory lock (flock) on a file, held as long as the object lives. The system lets go of it
// when the process ends, however it ends: nothing is left to clean up. Move-only.
class StoreLock {
 public:
  // Makes the file where it is missing. kLimit when another process still has the lock after half a
  // minute; kIo.
  static Result<StoreLock> acquire(const std::filesystem::path& file, LockMode mode);
  StoreLock(StoreLock&& other) noexcept;
  StoreLock& operator=(StoreLock&&) = delete;
  ~StoreLock();

 private:
  explicit StoreLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace llmpatch
