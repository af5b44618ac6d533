// The one table of judges.
#include <array>

#include "base/quote.h"
#include "judge/command.h"
#include "judge/degenerate.h"
#include "judge/endpoint.h"
#include "judge/gender.h"
#include "judge/guard.h"
#include "judge/judge.h"
#include "judge/judge_file.h"
#include "judge/refusal.h"
#include "judge/refusal_jbb.h"
#include "judge/toxicity_lexicon.h"
#include "judge/toxicity_svm.h"

namespace llmpatch {
namespace {

using Made = Result<std::unique_ptr<Judge>>;

struct Entry {
  std::string_view name;
  Made (*make)(const JudgeOptions&);                        // null: described by a file
  Made (*make_from_file)(JudgeFile&, const JudgeOptions&);  // null: needs none
};

template <std::unique_ptr<Judge> (*kMake)()>
Made plain(const JudgeOptions&) {
  return kMake();
}

constexpr std::array<Entry, 9> kJudges{{
    {"refusal", plain<make_refusal_judge>, nullptr},
    {"refusal-jbb", plain<make_refusal_jbb_judge>, nullptr},
    {"degenerate", plain<make_degenerate_judge>, nullptr},
    {"toxicity-svm", make_toxicity_svm_judge, nullptr},
    {"toxicity-lexicon", make_toxicity_lexicon_judge, nullptr},
    {"gender", plain<make_gender_judge>, nullptr},
    {"command", nullptr, make_command_judge},
    {"endpoint", nullptr, make_endpoint_judge},
    {"guard", nullptr, make_guard_judge},
}};

std::string known_names() {
  std::string names;
  for (const Entry& entry : kJudges) {
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  return names;
}

Error unknown(const std::string& where, std::string_view found) {
  return make_error(ErrorKind::kNotFound, "judge",
                    where + "found " + quote(found) + ", expected one of: " + known_names() +
                        ", or a judge file .json");
}

const Entry* find(std::string_view name) {
  for (const Entry& entry : kJudges) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

Made from_file(const std::filesystem::path& path, const JudgeOptions& options) {
  LLMPATCH_ASSIGN(JudgeFile file, JudgeFile::read(path));
  const Entry* entry = find(file.judge());
  if (entry == nullptr) return unknown(path.string() + ": member 'judge': ", file.judge());
  if (entry->make_from_file == nullptr) {
    return file.corrupt("found the judge " + file.judge() + ", which takes no judge file");
  }
  return entry->make_from_file(file, options);
}

}  // namespace

Result<std::unique_ptr<Judge>> make_judge(std::string_view judge, const JudgeOptions& options) {
  if (judge.ends_with(".json")) return from_file(judge, options);
  const Entry* entry = find(judge);
  if (entry == nullptr) return unknown("judge: ", judge);
  if (entry->make == nullptr) {
    return make_error(ErrorKind::kInvalidArgument, "judge",
                      std::string(judge) + ": found a name alone, expected a judge file",
                      "write {\"judge\": \"" + std::string(judge) +
                          "\", ...} to a file .json and name that; see docs/judges.md");
  }
  return entry->make(options);
}

std::vector<std::string_view> judge_names() {
  std::vector<std::string_view> names;
  for (const Entry& entry : kJudges) {
    if (entry.make != nullptr) names.push_back(entry.name);
  }
  return names;
}

}  // namespace llmpatch
