// The file of the audit log: whole lines in their order, and none is lost while it lives.
// Internal to serve/.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// Thread-safe. A thread of its own writes. While it cannot, it keeps the lines and tries again, and
// write() waits once too many are kept.
class AuditFile {
 public:
  // What is to be said of the file itself, as an event of the log: "audit_failed" when lines can no
  // longer be written, "audit_recovered" when they can again, "audit_lost" with the number of
  // `lines` that never were. Called on any thread; must return at once and not call back.
  using Report = std::function<void(std::string_view event, OrderedJson fields)>;

  // Appends to `path`, which is made readable for its owner alone where it is not there. Keeps at
  // most `most_kept` bytes of lines that are not written yet, or one line. kIo: it cannot be
  // opened.
  static Result<std::unique_ptr<AuditFile>> open(const std::filesystem::path& path, Report report,
                                                 std::size_t most_kept = 64 << 20);
  // Writes what is left. Gives up where that fails, and reports what is lost.
  ~AuditFile();
  AuditFile(const AuditFile&) = delete;
  AuditFile& operator=(const AuditFile&) = delete;

  // Opens the path anew for what is written from now on, and for what could not be written so far.
  // kIo, and the old file stays.
  Status reopen();

  // `line` without its end. Waits while there is no room for it.
  void write(std::string line);
  // From `deadline` on nobody waits: a line that there is no room for is lost.
  void stop_waiting_at(std::chrono::steady_clock::time_point deadline);

  bool is_failing() const { return failing_; }

 private:
  struct Target;

  AuditFile(std::filesystem::path path, Report report, std::size_t most_kept,
            std::unique_ptr<Target> target);
  void run();

  const std::filesystem::path path_;
  const Report report_;
  const std::size_t most_kept_;
  std::unique_ptr<Target> target_;  // the writing thread's alone

  std::mutex mutex_;
  std::condition_variable work_, room_;
  // Guarded by the mutex:
  std::deque<std::string> lines_;  // not written yet, or not whole
  std::size_t kept_ = 0;           // bytes of these
  std::unique_ptr<Target> next_;   // takes the place of target_ ...
  std::size_t lines_to_old_ = 0;   // ... after so many lines, or where these cannot be written
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  std::size_t lost_ = 0;
  bool closing_ = false;

  std::atomic<bool> failing_ = false;
  std::thread thread_;
};

}  // namespace llmpatch
