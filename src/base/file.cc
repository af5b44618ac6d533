#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/atomic_file.h"
#include "base/descriptor.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

Error io_error(const char* action, const fs::path& path, int error_number) {
  std::string hint;
  if (error_number == ENOSPC || error_number == EDQUOT) hint = "free some disk space and try again";
  return make_error(ErrorKind::kIo, "file",
                    std::string(action) + " " + path.string() + ": " + std::strerror(error_number),
                    hint);
}

// Opens a regular file for reading and tells its size. O_NONBLOCK so that opening a FIFO does not
// hang before it is refused.
Result<int> open_regular(const fs::path& path, std::string_view what, std::uint64_t& size) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return make_error(ErrorKind::kNotFound, "file",
                        std::string(what) + ": found no file " + path.string());
    }
    return io_error("open", path, errno);
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return io_error("stat", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return make_error(ErrorKind::kInvalidArgument, "file",
                      std::string(what) + " " + path.string() +
                          ": found a directory or device, expected a regular file");
  }
  size = static_cast<std::uint64_t>(info.st_size);
  return fd.release();
}

Status sync_directory_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return sync_directory(parent.empty() ? "." : parent);
}

Error exists_already(const fs::path& path,
                     const char* hint = "choose another name or say --force") {
  return make_error(ErrorKind::kExists, "file", "write " + path.string() + ": it exists already",
                    hint);
}

fs::path temporary_beside(const fs::path& path) {
  return path.string() + ".partial-" + std::to_string(::getpid());
}

Status write_all(int fd, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return io_error("write", path, errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// Writes, syncs and closes; `path` is for messages.
Status write_synced(Descriptor& fd, std::string_view bytes, const fs::path& path) {
  LLMPATCH_TRY(write_all(fd.get(), bytes, path));
  if (::fsync(fd.get()) != 0) return io_error("sync", path, errno);
  if (::close(fd.release()) != 0) return io_error("close", path, errno);
  return {};
}

}  // namespace

Result<std::string> read_file(const fs::path& path, std::uint64_t max_bytes,
                              std::string_view what) {
  std::uint64_t size = 0;
  LLMPATCH_ASSIGN(const int raw, open_regular(path, what, size));
  Descriptor fd(raw);
  if (size > max_bytes) {
    return make_error(ErrorKind::kLimit, "file",
                      std::string(what) + " " + path.string() + ": found " + std::to_string(size) +
                          " bytes, expected at most " + std::to_string(max_bytes));
  }
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0) {
      if (errno == EINTR) continue;
      return io_error("read", path, errno);
    }
    if (got == 0) break;  // the file shrank while we read: give what is there
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

Status write_file_atomic(const fs::path& path, std::string_view bytes, Overwrite overwrite) {
  LLMPATCH_ASSIGN(AtomicFile file, AtomicFile::create(path, overwrite));
  LLMPATCH_TRY(file.append(bytes));
  return file.commit();
}

Result<AtomicFile> AtomicFile::create(const fs::path& path, Overwrite overwrite) {
  if (overwrite == Overwrite::kNo && fs::exists(fs::symlink_status(path)))
    return exists_already(path);
  fs::path temporary = temporary_beside(path);
  const int fd =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return io_error("create", temporary, errno);
  return AtomicFile(path, std::move(temporary), fd);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      fd_(std::exchange(other.fd_, -1)) {}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

Status AtomicFile::append(std::string_view bytes) { return write_all(fd_, bytes, path_); }

Status AtomicFile::commit() {
  Descriptor fd(std::exchange(fd_, -1));
  Status status = write_synced(fd, "", path_);
  if (status.ok() && ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    status = io_error("rename to", path_, errno);
  }
  if (!status.ok()) {
    ::unlink(temporary_.c_str());
    return status;
  }
  return sync_directory_of(path_);
}

Status write_new_file(const fs::path& path, std::string_view bytes, unsigned mode) {
  const fs::path temporary = temporary_beside(path);
  ::unlink(temporary.c_str());  // of a process that died; its permissions may be others
  Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                       static_cast<mode_t>(mode)));
  if (fd.get() < 0) return io_error("create", temporary, errno);
  Status status = write_synced(fd, bytes, path);
  // A link, unlike a rename, fails where there is something already.
  if (status.ok() && ::link(temporary.c_str(), path.c_str()) != 0) {
    status = errno == EEXIST ? Status(exists_already(path, "choose another name"))
                             : Status(io_error("link to", path, errno));
  }
  ::unlink(temporary.c_str());
  if (!status.ok()) return status;
  return sync_directory_of(path);
}

Status sync_directory(const fs::path& directory) {
  Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) return io_error("sync", directory, errno);
  return {};
}

Result<StagedDirectory> StagedDirectory::create(const fs::path& target, Overwrite overwrite) {
  fs::path clean = target.lexically_normal();
  if (!clean.has_filename()) clean = clean.parent_path();  // "dir/" names "dir"
  std::error_code code;
  if (overwrite == Overwrite::kNo && fs::exists(fs::symlink_status(clean, code))) {
    return exists_already(clean);
  }
  fs::path staging = clean.string() + ".partial-" + std::to_string(::getpid());
  fs::remove_all(staging, code);
  fs::create_directories(staging, code);
  if (code) return io_error("create", staging, code.value());
  return StagedDirectory(std::move(clean), std::move(staging));
}

StagedDirectory::StagedDirectory(StagedDirectory&& other) noexcept
    : target_(std::move(other.target_)), staging_(std::exchange(other.staging_, {})) {}

StagedDirectory::~StagedDirectory() {
  std::error_code ignored;
  if (!staging_.empty()) fs::remove_all(staging_, ignored);
}

Status StagedDirectory::commit() {
  std::error_code code;
  // With something in its place both change places at once: nobody finds neither.
  if (::renameat2(AT_FDCWD, staging_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) {
    const Status synced = sync_directory_of(target_);
    fs::remove_all(staging_, code);
    staging_.clear();
    return synced;
  }
  // There is nothing, or the file system cannot do that.
  fs::path aside;
  if (fs::exists(fs::symlink_status(target_, code))) {
    aside = target_.string() + ".replaced-" + std::to_string(::getpid());
    fs::rename(target_, aside, code);
    if (code) return io_error("move aside", target_, code.value());
  }
  fs::rename(staging_, target_, code);
  if (code) {
    const int reason = code.value();
    if (!aside.empty()) fs::rename(aside, target_, code);
    return io_error("rename to", target_, reason);
  }
  staging_.clear();
  if (!aside.empty()) fs::remove_all(aside, code);
  return sync_directory_of(target_);
}

Result<MappedFile> MappedFile::open(const fs::path& path, std::string_view what) {
  std::uint64_t size = 0;
  LLMPATCH_ASSIGN(const int raw, open_regular(path, what, size));
  Descriptor fd(raw);
  if (size == 0) return MappedFile(nullptr, 0);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return io_error("map", path, errno);
  return MappedFile(static_cast<const std::byte*>(data), size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace llmpatch
