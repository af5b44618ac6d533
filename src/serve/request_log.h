// What the server writes about itself: a JSON object a line. Never a key; no prompt and
// no answer but with --audit-text, in the audit file.
// Internal to serve/.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// Thread-safe; threads of its own write, so that nobody waits for a pipe nobody reads: then the
// oldest lines are lost on stderr. The audit file loses none, its writers wait (AuditFile).
class RequestLog {
 public:
  // Lines go to stderr, of requests and changes also to `audit` (appended; empty: to no file). It
  // is made readable for its owner alone where it is not there. kIo: the file cannot be opened.
  static Result<std::unique_ptr<RequestLog>> open(const std::filesystem::path& audit);
  ~RequestLog();  // as AuditFile's

  // Opens the audit file anew, which may have been moved away, as AuditFile::reopen.
  Status reopen();

  // One event; `time` is added. `audited`: to the audit file too.
  void write(std::string_view event, OrderedJson fields, bool audited = false);
  // One event for the audit file alone.
  void write_audit(std::string_view event, OrderedJson fields);
  // As AuditFile.
  void stop_waiting_at(std::chrono::steady_clock::time_point deadline);
  bool is_audit_failing() const;

 private:
  struct State;
  explicit RequestLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace llmpatch
