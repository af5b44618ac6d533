// Reading responses.jsonl.
#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/quote.h"
#include "eval/report_answers.h"

namespace llmpatch {
namespace {

// Members of a line that are no system's answer.
constexpr std::array<std::string_view, 10> kMembers{"suite",    "line",   "category", "prompt",
                                                    "variant",  "system", "decoding", "sample",
                                                    "response", "scores"};

class ResponseReader {
 public:
  explicit ResponseReader(const std::string& where) : where_(where) {}

  Status add(std::string_view text, std::size_t number) {
    const std::string place = where_ + " line " + std::to_string(number);
    LLMPATCH_ASSIGN(const Json line, parse_json(text, place));
    LLMPATCH_ASSIGN(const std::string suite, json_string(line, "suite", place));
    ReportPrompt prompt;
    LLMPATCH_ASSIGN(prompt.line, json_integer(line, "line", place));
    LLMPATCH_ASSIGN(prompt.prompt, json_string(line, "prompt", place));
    const std::pair<const char*, std::string*> texts[] = {{"category", &prompt.category},
                                                          {"variant", &prompt.variant},
                                                          {"decoding", &prompt.decoding}};
    for (const auto& [key, into] : texts) {
      if (!line.contains(key)) continue;
      LLMPATCH_ASSIGN(*into, json_string(line, key, place));
    }
    if (line.contains("sample")) {
      LLMPATCH_ASSIGN(const std::int64_t sample, json_integer(line, "sample", place));
      if (sample != 0) return {};
    }
    ReportPrompt& known = find(suite, std::move(prompt));
    if (line.contains("response")) {
      LLMPATCH_ASSIGN(std::string label, json_string(line, "system", place));
      return add_answer(line, std::move(label), place, known);
    }
    for (const auto& [key, value] : line.items()) {
      if (std::ranges::find(kMembers, key) != kMembers.end() || !value.is_object()) continue;
      LLMPATCH_TRY(add_answer(value, key, place, known));
    }
    return {};
  }

  ReportResponses take() { return std::move(responses_); }

 private:
  ReportPrompt& find(const std::string& suite, ReportPrompt prompt) {
    std::vector<ReportPrompt>& prompts = responses_.suites[suite];
    const auto [place, is_new] = places_[suite].try_emplace(prompt.key(), prompts.size());
    if (is_new) prompts.push_back(std::move(prompt));
    return prompts[place->second];
  }

  static Status add_answer(const Json& json, std::string label, const std::string& place,
                           ReportPrompt& prompt) {
    ReportAnswer answer;
    answer.label = std::move(label);
    LLMPATCH_ASSIGN(answer.text, json_string(json, "response", place));
    if (const auto refused = json.find("refused"); refused != json.end() && refused->is_boolean()) {
      answer.refused = refused->get<bool>();
    }
    if (const auto flag = json.find("degenerate"); flag != json.end() && flag->is_boolean()) {
      answer.degenerate = flag->get<bool>();
    }
    if (json.contains("scores")) {
      LLMPATCH_ASSIGN(const Json scores, json_object(json, "scores", place));
      for (const auto& [judge, score] : scores.items()) {
        if (!score.is_number() && !score.is_null()) {
          return make_error(ErrorKind::kCorrupt, "report",
                            place + ": score of " + quote(judge) + ": found " + score.type_name() +
                                ", expected a number or null");
        }
        answer.scores.emplace_back(
            judge, score.is_null() ? std::nullopt : std::optional<double>(score.get<double>()));
      }
    }
    prompt.answers.push_back(std::move(answer));
    return {};
  }

  const std::string& where_;
  ReportResponses responses_;
  std::map<std::string, std::map<std::string, std::size_t>> places_;
};

}  // namespace

std::string ReportPrompt::key() const {
  // Lengths keep parts apart whatever they hold.
  std::string key = std::to_string(line);
  for (const std::string* part : {&variant, &decoding, &prompt}) {
    key += '/' + std::to_string(part->size()) + ':' + *part;
  }
  return key;
}

Result<ReportResponses> read_responses(std::string_view text, const std::string& where) {
  ResponseReader reader(where);
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    LLMPATCH_TRY(reader.add(line, number));
  }
  return reader.take();
}

}  // namespace llmpatch
