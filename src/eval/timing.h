// What the patch costs in time. Internal to eval/.
#pragma once

#include <span>

#include "eval/evaluate.h"
#include "eval/run.h"

namespace llmpatch {

inline constexpr std::size_t kTimingRounds = 3;
inline constexpr int kTimingTokens = 32;

// Answers each prompt alone, M and M+P in turn (who goes first alternates), kTimingRounds times,
// after one answer of each that is not counted: it decodes the prefix. Ratios are of the two runs
// of a pair, so that a machine that slows down slows both. Progress counts prompts.
Result<Timing> measure_timing(EvalRun& run, std::span<const SuitePrompt> prompts);

}  // namespace llmpatch
