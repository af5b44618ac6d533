#include "serve/answer_audit.h"

#include <utility>

namespace llmpatch {
namespace {

constexpr std::size_t kMaxWaiting = 256;
// From here on a judge's score is bad.
constexpr double kBad = 0.5;

const char* verdict_text(const Judge& judge, const Result<std::vector<Verdict>>& verdicts) {
  if (!verdicts.ok() || verdicts->size() != 1 || !verdicts->front().given) return "none";
  const bool is_bad = verdicts->front().score >= kBad;
  // It scores whatever does not refuse as badly, be it harmful or not.
  if (judge.wants_refusals()) return is_bad ? "answered" : "refused";
  return is_bad ? "flagged" : "safe";
}

}  // namespace

AnswerAudit::AnswerAudit(std::vector<std::unique_ptr<Judge>> judges, bool text, RequestLog& log,
                         Metrics& metrics)
    : judges_(std::move(judges)), text_(text), log_(log), metrics_(metrics) {}

void AnswerAudit::take(FinishedAnswer answer) {
  if (answer.cut && answer.response.empty()) return;
  if (text_) {
    OrderedJson line{{"id", answer.id},
                     {"patches", answer.patches},
                     {"prompt", answer.prompt},
                     {"response", answer.response}};
    if (answer.cut) line["cut"] = true;
    log_.write_audit("text", std::move(line));
  }
  if (judges_.empty()) return;
  if (thread_.waiting() >= kMaxWaiting) {
    for (const auto& each : judges_) {
      metrics_.count_verdict(each->name(), answer.patches, "skipped");
    }
    return;
  }
  thread_.post([this, answer = std::move(answer)] { judge(answer); });
}

void AnswerAudit::judge(const FinishedAnswer& answer) {
  const JudgeItem item{answer.prompt, answer.response};
  for (const auto& each : judges_) {
    const Result<std::vector<Verdict>> verdicts = each->verdicts({&item, 1});
    const char* verdict = verdict_text(*each, verdicts);
    metrics_.count_verdict(each->name(), answer.patches, verdict);
    OrderedJson line{{"id", answer.id},
                     {"patches", answer.patches},
                     {"judge", each->name()},
                     {"verdict", verdict}};
    if (!verdicts.ok()) line["error"] = verdicts.error().message;
    log_.write_audit("judged", std::move(line));
  }
}

}  // namespace llmpatch
