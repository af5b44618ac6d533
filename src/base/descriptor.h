// An open file descriptor that closes itself.
#pragma once

#include <unistd.h>

#include <utility>

namespace llmpatch {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  int get() const { return fd_; }
  // Gives it away: it is the caller's to close.
  int release() { return std::exchange(fd_, -1); }
  void close() {
    if (fd_ >= 0) ::close(release());
  }

 private:
  int fd_;  // negative: none
};

}  // namespace llmpatch
