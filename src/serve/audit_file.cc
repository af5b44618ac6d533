#include "serve/audit_file.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "base/descriptor.h"

namespace llmpatch {
namespace {

// Between two tries of writing what could not be written.
constexpr std::chrono::milliseconds kFirstPause{100}, kLongestPause{5000};
// How long a pipe may be full before that counts as failing.
constexpr std::chrono::milliseconds kFullPipe{1000};

std::string system_message(int code) {
  return std::error_code(code, std::generic_category()).message();
}

// Whether somebody's last line has no end, as where a disk was full.
bool ends_within_line(const std::filesystem::path& path, off_t size) {
  if (size == 0) return false;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char last = '\n';
  return file.get() >= 0 && ::pread(file.get(), &last, 1, size - 1) == 1 && last != '\n';
}

bool takes_more(int file) {
  pollfd waits{file, POLLOUT, 0};
  return ::poll(&waits, 1, static_cast<int>(kFullPipe.count())) > 0;
}

struct Written {
  std::size_t bytes = 0;
  int error = 0;  // of errno, where it is not all
};

Written put(int file, std::string_view text) {
  Written done;
  while (done.bytes < text.size()) {
    const ssize_t size = ::write(file, text.data() + done.bytes, text.size() - done.bytes);
    if (size > 0) {
      done.bytes += static_cast<std::size_t>(size);
      continue;
    }
    const int error = size == 0 ? EIO : errno;
    if (error == EINTR || (error == EAGAIN && takes_more(file))) continue;
    done.error = error;
    break;
  }
  return done;
}

}  // namespace

struct AuditFile::Target {
  explicit Target(int descriptor) : file(descriptor) {}
  static Result<std::unique_ptr<Target>> open(const std::filesystem::path& path);
  bool is_same_file(const Target& other) const {
    return device == other.device && inode == other.inode;
  }

  const Descriptor file;
  dev_t device = 0;
  ino_t inode = 0;
  bool within_line = false;  // a line has to be ended before the next
};

Result<std::unique_ptr<AuditFile::Target>> AuditFile::Target::open(
    const std::filesystem::path& path) {
  const auto failed = [&] {
    return make_error(ErrorKind::kIo, "serve",
                      "audit log " + path.string() + ": " + system_message(errno));
  };
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return failed();
  auto target = std::make_unique<Target>(file);
  struct stat about {};
  // A pipe that nobody reads must not hold up the end.
  if (::fcntl(file, F_SETFL, O_APPEND | O_NONBLOCK) != 0 || ::fstat(file, &about) != 0) {
    return failed();
  }
  target->device = about.st_dev;
  target->inode = about.st_ino;
  target->within_line = S_ISREG(about.st_mode) && ends_within_line(path, about.st_size);
  return target;
}

AuditFile::AuditFile(std::filesystem::path path, Report report, std::size_t most_kept,
                     std::unique_ptr<Target> target)
    : path_(std::move(path)),
      report_(std::move(report)),
      most_kept_(most_kept),
      target_(std::move(target)) {}

Result<std::unique_ptr<AuditFile>> AuditFile::open(const std::filesystem::path& path, Report report,
                                                   std::size_t most_kept) {
  LLMPATCH_ASSIGN(auto target, Target::open(path));
  std::unique_ptr<AuditFile> file(
      new AuditFile(path, std::move(report), most_kept, std::move(target)));
  try {
    file->thread_ = std::thread([self = file.get()] { self->run(); });
  } catch (const std::system_error& error) {
    return make_error(ErrorKind::kIo, "serve",
                      std::string("audit log: its thread: ") + error.what());
  }
  return file;
}

AuditFile::~AuditFile() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  work_.notify_one();
  if (thread_.joinable()) thread_.join();
  if (lost_ > 0) report_("audit_lost", {{"lines", lost_}});
}

Status AuditFile::reopen() {
  LLMPATCH_ASSIGN(auto target, Target::open(path_));
  {
    const std::lock_guard lock(mutex_);
    next_ = std::move(target);
    lines_to_old_ = lines_.size();
  }
  work_.notify_one();
  return {};
}

void AuditFile::write(std::string line) {
  line += '\n';
  {
    std::unique_lock lock(mutex_);
    while (!lines_.empty() && kept_ + line.size() > most_kept_) {
      if (!deadline_) {
        room_.wait(lock);
      } else if (std::chrono::steady_clock::now() < *deadline_) {
        room_.wait_until(lock, *deadline_);
      } else {
        ++lost_;
        return;
      }
    }
    kept_ += line.size();
    lines_.push_back(std::move(line));
  }
  work_.notify_one();
}

void AuditFile::stop_waiting_at(std::chrono::steady_clock::time_point deadline) {
  {
    const std::lock_guard lock(mutex_);
    deadline_ = deadline;
  }
  room_.notify_all();
}

void AuditFile::run() {
  // Signals are other threads'; and a pipe that is read no more is an error of write() then.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);

  std::size_t written = 0;  // of the first line
  auto pause = kFirstPause;
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [&] { return closing_ || !lines_.empty(); });
    if (lines_.empty()) return;
    if (next_ != nullptr && (failing_ || lines_to_old_ == 0)) {
      if (next_->is_same_file(*target_)) {
        next_->within_line = target_->within_line;  // what was begun goes on
      } else {
        written = 0;
      }
      target_ = std::move(next_);
    }
    const bool is_last_try = closing_;
    const std::string text = (target_->within_line ? "\n" : "") + lines_.front();
    lock.unlock();
    const Written done = put(target_->file.get(), std::string_view(text).substr(written));
    lock.lock();
    written += done.bytes;
    if (done.error == 0) {
      written = 0;
      target_->within_line = false;
      kept_ -= lines_.front().size();
      lines_.pop_front();
      if (lines_to_old_ > 0) --lines_to_old_;
      room_.notify_all();
      pause = kFirstPause;
      if (failing_.exchange(false)) report_("audit_recovered", OrderedJson::object());
      continue;
    }
    if (!failing_.exchange(true)) {
      report_("audit_failed",
              {{"reason", "audit log " + path_.string() + ": " + system_message(done.error)}});
    }
    if (is_last_try) {
      lost_ += lines_.size();
      return;
    }
    work_.wait_for(lock, pause, [&] { return closing_ || next_ != nullptr; });
    pause = std::min(pause * 2, kLongestPause);
  }
}

}  // namespace llmpatch
