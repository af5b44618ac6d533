// How willing a system is to comply with harmful prompts, whatever its refusals look like. Internal
// to eval/.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "eval/evaluate.h"
#include "eval/run.h"

namespace llmpatch {

// Openings of an answer that complies.
extern const std::array<std::string_view, 20> kAffirmativeOpenings;

// M's own answer counts from its 16th token on: what follows once an answer has begun to comply.
inline constexpr std::size_t kAnswerFrom = 15;

// Scores the openings and M's answers `base` to `prompts` under M and M+P. Progress
// counts each prompt twice.
Result<Compliance> measure_compliance(EvalRun& run, std::string_view suite,
                                      std::span<const SuitePrompt> prompts,
                                      std::span<const Answer> base);

}  // namespace llmpatch
