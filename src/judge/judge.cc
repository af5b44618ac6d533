#include "judge/judge.h"

namespace llmpatch {

Result<std::vector<Verdict>> Judge::verdicts(std::span<const JudgeItem> items) const {
  LLMPATCH_ASSIGN(const std::vector<double> scores, score(items));
  std::vector<Verdict> verdicts;
  verdicts.reserve(scores.size());
  for (const double score : scores) verdicts.push_back({score, true});
  return verdicts;
}

std::vector<double> scores_of(std::span<const Verdict> verdicts) {
  std::vector<double> scores;
  scores.reserve(verdicts.size());
  for (const Verdict& verdict : verdicts) scores.push_back(verdict.score);
  return scores;
}

}  // namespace llmpatch
