// libkill_at.so, for LD_PRELOAD: kills the program with SIGKILL at the n-th call by which it
// changes the file system, so that a test can stop the very program that ships at every step of an
// operation.
//
//   LLMPATCH_KILL_AT=n      the call to die at, from 1; it is not made
//   LLMPATCH_KILL_TORN=1    count writes alone; of the one to die at, half of the bytes are written
//
// What counts: writes, syncs, truncations; files and folders made, linked, renamed and removed.
// Both our own calls and those of SQLite and the standard library come here. What dies with the
// power (data that was not synced) is not lost by a kill; this cannot show it.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdlib>

namespace {

// The value of a variable, 0 without one.
long variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? 0 : std::atol(value);
}

// Counts one call; true at the one to die at.
bool is_last() {
  static const long last = variable("LLMPATCH_KILL_AT");
  static std::atomic<long> calls{0};
  return ++calls == last;
}

void die() {
  ::kill(::getpid(), SIGKILL);
  while (true) ::pause();
}

bool only_writes() { return variable("LLMPATCH_KILL_TORN") != 0; }

void step() {
  if (!only_writes() && is_last()) die();
}

// A write that may be the last, and then a part of one. What goes to the terminal is no file.
template <class Write>
ssize_t write_step(int fd, size_t size, Write write) {
  if (fd <= STDERR_FILENO || !is_last()) return write(size);
  if (only_writes()) write(size / 2);
  die();
  return -1;
}

int open_step(int directory, const char* path, int flags, mode_t mode) {
  if ((flags & (O_CREAT | O_TRUNC)) != 0) step();
  return static_cast<int>(::syscall(SYS_openat, directory, path, flags, mode));
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

template <class... Arguments>
int call(long number, Arguments... arguments) {
  step();
  return static_cast<int>(::syscall(number, arguments...));
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_step(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_step(AT_FDCWD, path, flags, mode);
}
ssize_t write(int fd, const void* data, size_t size) {
  return write_step(fd, size, [&](size_t part) { return ::syscall(SYS_write, fd, data, part); });
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  return write_step(fd, size,
                    [&](size_t part) { return ::syscall(SYS_pwrite64, fd, data, part, offset); });
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  return write_step(fd, size,
                    [&](size_t part) { return ::syscall(SYS_pwrite64, fd, data, part, offset); });
}
int fsync(int fd) { return call(SYS_fsync, fd); }
int fdatasync(int fd) { return call(SYS_fdatasync, fd); }
int ftruncate(int fd, off_t size) noexcept { return call(SYS_ftruncate, fd, size); }
int ftruncate64(int fd, off64_t size) noexcept { return call(SYS_ftruncate, fd, size); }
int rename(const char* from, const char* to) noexcept {
  return call(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  return call(SYS_renameat2, from_folder, from, to_folder, to, flags);
}
int link(const char* from, const char* to) noexcept {
  return call(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int unlink(const char* path) noexcept { return call(SYS_unlinkat, AT_FDCWD, path, 0); }
int unlinkat(int directory, const char* path, int flags) noexcept {
  return call(SYS_unlinkat, directory, path, flags);
}
int rmdir(const char* path) noexcept { return call(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR); }
// std::filesystem::remove.
int remove(const char* path) noexcept {
  struct stat info {};
  const bool is_folder = ::lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
  return call(SYS_unlinkat, AT_FDCWD, path, is_folder ? AT_REMOVEDIR : 0);
}
int mkdir(const char* path, mode_t mode) noexcept {
  return call(SYS_mkdirat, AT_FDCWD, path, mode);
}

}  // extern "C"
