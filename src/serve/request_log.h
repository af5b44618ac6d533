// What the server writes about itself: a JSON object a line. Never a key; no prompt and
// no answer but with --audit-text, in the audit file.
// Internal to serve/.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// Thread-safe; a thread of its own writes, so that nobody waits for a full disk or a pipe nobody
// reads: then the oldest lines are lost on stderr. The audit file loses none, its writers wait.
class RequestLog {
 public:
  // Lines go to stderr, of requests and changes also to `audit` (appended; empty: to no file). It
  // is made readable for its owner alone where it is not there. kIo: the file cannot be opened.
  static Result<std::unique_ptr<RequestLog>> open(const std::filesystem::path& audit);
  ~RequestLog();  // writes what is left

  // Opens the audit file anew, for what is written from now on: the old one may have been moved
  // away. kIo, and the old one stays.
  Status reopen();

  // One event; `time` is added. `audited`: to the audit file too.
  void write(std::string_view event, OrderedJson fields, bool audited = false);
  // One event for the audit file alone.
  void write_audit(std::string_view event, OrderedJson fields);

 private:
  struct State;
  explicit RequestLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace llmpatch
