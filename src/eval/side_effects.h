// What a patch changes on prompts where nothing should change. Internal to eval/.
#pragma once

#include <span>

#include "eval/evaluate.h"
#include "eval/run.h"

namespace llmpatch {

// Positions of the shorter divergence, SideEffects::kl_first.
inline constexpr std::size_t kFirstTokens = 8;

// Measures the drift of M+P from M on M's answers and how likely M finds M+P's answers. Logits are
// held for a few prompts at a time. Progress counts each prompt twice.
Result<SideEffects> measure_side_effects(EvalRun& run, std::span<const SuitePrompt> prompts,
                                         std::span<const Answer> base,
                                         std::span<const Answer> patched);

}  // namespace llmpatch
