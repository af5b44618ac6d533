// What the server writes about itself: a JSON object a line. Never a prompt, an answer or a key.
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
  // Lines go to stderr, of requests and changes also to `audit` (appended; empty: to no file).
  // kIo: the file cannot be opened.
  static Result<std::unique_ptr<RequestLog>> open(const std::filesystem::path& audit);
  ~RequestLog();  // writes what is left

  // One event; `time` is added. `audited`: to the audit file too.
  void write(std::string_view event, OrderedJson fields, bool audited = false);

 private:
  struct State;
  explicit RequestLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace llmpatch
