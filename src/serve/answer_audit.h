// What becomes of finished answers beside sending them: judges look at them, and the audit log may
// have their text. Internal to serve/.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "judge/judge.h"
#include "serve/metrics.h"
#include "serve/request_log.h"
#include "serve/workers.h"

namespace llmpatch {

struct FinishedAnswer {
  std::string id;                    // of the request
  std::vector<std::string> patches;  // "name@version", as it ran behind them
  std::string prompt;                // the last thing that a user said, or the text to go on with
  std::string response;
  bool cut = false;  // it was not sent whole: the client left, or it ended with an error
};

// Thread-safe. Judges run on a thread of their own, one answer after the other; where they cannot
// keep up, answers are left out, and counted as such.
class AnswerAudit {
 public:
  // `text`: prompts and answers go into the audit log. `log` and `metrics` must outlive it.
  AnswerAudit(std::vector<std::unique_ptr<Judge>> judges, bool text, RequestLog& log,
              Metrics& metrics);

  // Whether it wants answers at all.
  bool is_on() const { return !judges_.empty() || text_; }
  // Returns once it is in the audit log. A cut one without any text is passed over.
  void take(FinishedAnswer answer);
  // Judges what was taken before, and ends.
  void close() { thread_.close(); }

 private:
  void judge(const FinishedAnswer& answer);

  const std::vector<std::unique_ptr<Judge>> judges_;
  const bool text_;
  RequestLog& log_;
  Metrics& metrics_;
  Workers thread_{1};
};

}  // namespace llmpatch
