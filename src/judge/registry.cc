// The one table of judges.
#include <array>

#include "judge/degenerate.h"
#include "judge/judge.h"
#include "judge/refusal.h"

namespace llmpatch {
namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<Judge> (*make)();
};

constexpr std::array<Entry, 2> kJudges{{
    {"refusal", make_refusal_judge},
    {"degenerate", make_degenerate_judge},
}};

}  // namespace

Result<std::unique_ptr<Judge>> make_judge(std::string_view name) {
  std::string known;
  for (const auto& judge : kJudges) {
    if (judge.name == name) return judge.make();
    known += (known.empty() ? "" : ", ") + std::string(judge.name);
  }
  return make_error(ErrorKind::kNotFound, "judge",
                    "judge: found '" + std::string(name) + "', expected one of: " + known);
}

std::vector<std::string_view> judge_names() {
  std::vector<std::string_view> names;
  for (const auto& judge : kJudges) names.push_back(judge.name);
  return names;
}

}  // namespace llmpatch
