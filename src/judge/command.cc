#include "judge/command.h"

#include <chrono>

#include "base/helper_program.h"
#include "base/json.h"
#include "base/lines.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxLine = 1024;
constexpr std::int64_t kSeconds = 600, kMostSeconds = 7 * 24 * 3600;

class CommandJudge final : public Judge {
 public:
  CommandJudge(const JudgeFile& file, std::vector<std::string> command, std::int64_t seconds,
               const CancelFlag* cancel)
      : name_(file.name()),
        identity_(file.identity()),
        command_(std::move(command)),
        seconds_(seconds),
        cancel_(cancel) {}
  std::string_view name() const override { return name_; }
  std::string identity() const override { return identity_; }

  Result<std::vector<double>> score(std::span<const JudgeItem> items) const override {
    if (items.empty()) return std::vector<double>();
    std::string input;
    for (const JudgeItem& item : items) {
      input += json_line(OrderedJson{{"prompt", item.prompt}, {"response", item.response}}) + "\n";
    }
    HelperLimits limits;
    limits.output = items.size() * kMaxLine;
    limits.time = std::chrono::seconds(seconds_);
    limits.cancel = cancel_;
    LLMPATCH_ASSIGN(const HelperAnswer answer, run_helper("judge", command_, input, limits));
    if (answer.exit_code != 0) {
      return make_error(
          ErrorKind::kIo, "judge",
          where() + "found exit code " + std::to_string(answer.exit_code) + ", expected 0");
    }
    return read_scores(answer.output, items.size());
  }

 private:
  std::string where() const { return name_ + " (" + command_[0] + "): "; }

  Result<std::vector<double>> read_scores(std::string output, std::size_t count) const {
    if (!output.empty() && output.back() != '\n') output += '\n';
    const std::vector<std::string_view> lines = whole_lines(output);
    if (lines.size() != count) {
      return make_error(ErrorKind::kCorrupt, "judge",
                        where() + "found " + std::to_string(lines.size()) + " lines, expected " +
                            std::to_string(count) + ", one an item");
    }
    std::vector<double> scores;
    scores.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string line = where() + "line " + std::to_string(i + 1);
      LLMPATCH_ASSIGN(const Json json, parse_json(lines[i], line));
      LLMPATCH_ASSIGN(const double score, json_number(json, "score", line));
      if (!(score >= 0 && score <= 1)) {
        return make_error(ErrorKind::kCorrupt, "judge",
                          line + ": score: found " + std::to_string(score) + ", expected 0 to 1");
      }
      scores.push_back(score);
    }
    return scores;
  }

  std::string name_, identity_;
  std::vector<std::string> command_;
  std::int64_t seconds_;
  const CancelFlag* cancel_;
};

}  // namespace

Result<std::unique_ptr<Judge>> make_command_judge(JudgeFile& file, const JudgeOptions& options) {
  LLMPATCH_ASSIGN(std::vector<std::string> command, file.texts("command", /*required=*/true));
  LLMPATCH_ASSIGN(const std::int64_t seconds, file.integer("seconds", kSeconds, 1, kMostSeconds));
  LLMPATCH_TRY(file.finish());
  return std::unique_ptr<Judge>(
      std::make_unique<CommandJudge>(file, std::move(command), seconds, options.cancel));
}

}  // namespace llmpatch
