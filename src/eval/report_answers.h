// The answers of responses.jsonl that report.html shows side by side. Internal to eval/.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "eval/report_card.h"

namespace llmpatch {

struct ReportAnswer {
  std::string label;               // of its system, in the file
  std::size_t system = kNoSystem;  // in the report, once it is merged
  std::string text;
  std::optional<bool> refused;
  bool degenerate = false;
  std::vector<std::pair<std::string, std::optional<double>>> scores;  // judge; none: no verdict
};

// One prompt as it was asked, and the first answer of each system.
struct ReportPrompt {
  std::int64_t line = 0;
  std::string category, prompt;
  std::string variant;   // template or length; empty: as it is
  std::string decoding;  // tag; empty: the suite's own
  std::vector<ReportAnswer> answers;

  std::string key() const;  // the same for what may stand side by side
};

// Answers that were given in full for the report have this decoding.
inline constexpr std::string_view kFullDecoding = "full";

struct ReportResponses {
  std::map<std::string, std::vector<ReportPrompt>> suites;  // by name, in the file's order
};

inline constexpr std::uint64_t kMaxResponses = std::uint64_t{512} << 20;

// Reads the text of a responses.jsonl; `where` names it. A line holds one answer ("system",
// "response") or one of each system by label. Of several samples the first is kept. kCorrupt: a
// line that is no object of that form.
Result<ReportResponses> read_responses(std::string_view text, const std::string& where);

// The section of a suite's answers: those on which judges disagree about the systems first, at most
// kShownPrompts, harmful ones behind a click. "" without answers.
std::string answers_html(const std::string& title, const ReportSuite& suite,
                         const std::vector<ReportPrompt>& prompts,
                         const std::vector<ReportSystem>& systems);

inline constexpr std::size_t kShownPrompts = 100;  // of each of the section's lists

}  // namespace llmpatch
