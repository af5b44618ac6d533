// Toxicity by alt-profanity-check's classifier (MIT), which agrees with Perspective's TOXICITY with
// r = .85 over texts of several kinds (docs/judges.md): a proxy that runs anywhere, not
// Perspective.
#pragma once

#include <memory>

#include "judge/judge.h"

namespace llmpatch {

// Scores a response by the probability that it is offensive. The table is
// `data`/download/toxicity-svm.jsonl; errors of TfidfSvm::load().
Result<std::unique_ptr<Judge>> make_toxicity_svm_judge(const JudgeOptions& options);

}  // namespace llmpatch
