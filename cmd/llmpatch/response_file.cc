#include "response_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHeaderKey = "llmpatch_partial";
constexpr std::uint64_t kMaxBytes = std::uint64_t{8} << 30;

Error io_error(const char* action, const fs::path& path) {
  return make_error(ErrorKind::kIo, "output",
                    std::string(action) + " " + path.string() + ": " + std::strerror(errno));
}

// The first of `wanted`'s members that `found` does not have alike.
std::string difference(const Json& found, const Json& wanted) {
  for (const auto& [key, value] : wanted.items()) {
    if (!found.contains(key) || found.at(key) != value) return key;
  }
  return "settings";
}

}  // namespace

Result<ResponseFile> ResponseFile::open(ResponsePlan plan) {
  const fs::path partial = plan.output.string() + ".partial";
  const int fd = ::open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return io_error("create", partial);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return make_error(ErrorKind::kLimit, "output",
                      partial.string() + ": another process is writing it",
                      "wait for it, or choose another name");
  }
  ResponseFile file(std::move(plan), partial, fd);
  LLMPATCH_TRY(file.recover());
  return file;
}

// Reads what an earlier run left, cuts it to whole chunks, or begins anew.
Status ResponseFile::recover() {
  LLMPATCH_ASSIGN(const std::string text, read_file(partial_, kMaxBytes, "partial output"));
  const std::size_t header_end = text.find('\n');
  if (header_end != std::string::npos) {
    const auto header = parse_json(std::string_view(text).substr(0, header_end), partial_.string());
    const bool ours = header.ok() && header->is_object() && header->contains(kHeaderKey);
    const Json settings = ours ? header->at(kHeaderKey) : Json();
    if (settings == plan_.settings) {
      header_bytes_ = bytes_ = header_end + 1;
      std::size_t lines = 0;
      for (std::size_t start = bytes_; lines < plan_.lines; ++lines) {
        const std::size_t end = text.find('\n', start);
        if (end == std::string::npos) break;
        start = end + 1;
        // A chunk is whole at every multiple of its size, and at the end.
        if ((lines + 1) % plan_.chunk == 0 || lines + 1 == plan_.lines) {
          done_ = lines + 1;
          bytes_ = start;
        }
      }
      if (::ftruncate(fd_, static_cast<off_t>(bytes_)) != 0) return io_error("cut", partial_);
      return {};
    }
    if (plan_.overwrite == Overwrite::kNo) {
      bytes_ = text.size();
      done_ = 1;  // not ours to remove
      const std::string what = ours ? "found another " + difference(settings, plan_.settings)
                                    : std::string("found a file of another kind");
      return make_error(ErrorKind::kExists, "output",
                        partial_.string() + ": begun with other settings: " + what,
                        "remove it, choose another name, or say --force to begin anew");
    }
  }
  // Without a first line the earlier run died before it had done anything.
  if (::ftruncate(fd_, 0) != 0) return io_error("cut", partial_);
  const std::string header = json_line(Json{{kHeaderKey, plan_.settings}}) + "\n";
  LLMPATCH_TRY(append(header, 0));
  header_bytes_ = bytes_;
  return {};
}

ResponseFile::ResponseFile(ResponseFile&& other) noexcept
    : plan_(std::move(other.plan_)),
      partial_(std::move(other.partial_)),
      fd_(std::exchange(other.fd_, -1)),
      header_bytes_(other.header_bytes_),
      bytes_(other.bytes_),
      done_(other.done_) {}

ResponseFile::~ResponseFile() {
  if (fd_ < 0) return;
  if (done_ == 0) ::unlink(partial_.c_str());
  ::close(fd_);
}

Status ResponseFile::append(std::string_view lines, std::size_t count) {
  std::uint64_t at = bytes_;
  for (std::string_view rest = lines; !rest.empty();) {
    const ssize_t written = ::pwrite(fd_, rest.data(), rest.size(), static_cast<off_t>(at));
    if (written < 0) {
      if (errno == EINTR) continue;
      const bool full = errno == ENOSPC || errno == EDQUOT;
      Error error = io_error("write", partial_);
      if (full) error.hint = "free some disk space; the same command goes on from here";
      if (::ftruncate(fd_, static_cast<off_t>(bytes_)) != 0) error.hint.clear();
      return error;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
    at += static_cast<std::uint64_t>(written);
  }
  if (::fdatasync(fd_) != 0) return io_error("sync", partial_);
  bytes_ = at;
  done_ += count;
  return {};
}

Status ResponseFile::finish() {
  LLMPATCH_ASSIGN(const std::string text, read_file(partial_, kMaxBytes, "partial output"));
  LLMPATCH_TRY(write_file_atomic(plan_.output, std::string_view(text).substr(header_bytes_),
                                 plan_.overwrite));
  ::unlink(partial_.c_str());
  ::close(std::exchange(fd_, -1));
  return {};
}

}  // namespace llmpatch
