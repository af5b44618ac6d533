// The judges of an evaluation, each made once. Internal to eval/.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "eval/evaluate.h"
#include "judge/judge.h"

namespace llmpatch {

class JudgeSet {
 public:
  // Makes every judge that the suites of `options`, or options.judges, name. Errors of make_judge;
  // kInvalidArgument for two of one name.
  static Result<JudgeSet> create(const EvalOptions& options, const CancelFlag* cancel);

  // Those of `suite`: its own, then options.judges. They live as long as this object.
  std::vector<const Judge*> of(const Suite& suite) const;

 private:
  std::vector<std::string> extra_;                        // options.judges
  std::map<std::string, std::unique_ptr<Judge>> judges_;  // by what they were asked for as
};

}  // namespace llmpatch
