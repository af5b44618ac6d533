#include "eval/judge_set.h"

#include <algorithm>
#include <set>

namespace llmpatch {

Result<JudgeSet> JudgeSet::create(const EvalOptions& options, const CancelFlag* cancel) {
  JudgeSet set;
  set.extra_ = options.judges;
  std::vector<std::string> wanted = options.judges;
  for (const Suite& suite : options.suites) {
    wanted.insert(wanted.end(), suite.judges.begin(), suite.judges.end());
  }
  std::set<std::string> names;
  for (const std::string& judge : wanted) {
    if (set.judges_.contains(judge)) continue;
    LLMPATCH_ASSIGN(std::unique_ptr<Judge> made, make_judge(judge, {options.data, cancel}));
    if (!names.emplace(made->name()).second) {
      return make_error(ErrorKind::kInvalidArgument, "eval",
                        "judge " + judge + ": found a second one called '" +
                            std::string(made->name()) + "', expected different names");
    }
    set.judges_.emplace(judge, std::move(made));
  }
  return set;
}

std::vector<const Judge*> JudgeSet::of(const Suite& suite) const {
  std::vector<const Judge*> judges;
  const auto add = [&](const std::string& name) {
    const Judge* judge = judges_.at(name).get();
    if (std::ranges::find(judges, judge) == judges.end()) judges.push_back(judge);
  };
  for (const std::string& name : suite.judges) add(name);
  for (const std::string& name : extra_) add(name);
  return judges;
}

}  // namespace llmpatch
