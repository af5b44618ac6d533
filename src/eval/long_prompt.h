// The kind "long-prompt": the suite's prompts after more and more benign text. A patch acts through
// attention to a few rows at the beginning; does it still when much stands between? Internal to
// eval/.
#pragma once

#include "eval/generation.h"
#include "eval/plan.h"
#include "eval/run.h"
#include "eval/suite_kind.h"

namespace llmpatch {

// `prompt` with `text` and a blank line before its last user message; as it is for no text.
SuitePrompt after_text(const SuitePrompt& prompt, const std::string& text);

// The metrics of measure_variants(), a variant for each of suite.filler_tokens, named by it ("512
// tokens"). The text is the beginning of suite.filler by the model's tokens; kInvalidArgument when
// it has too few.
Result<MeasuredSuite> measure_long_prompt(EvalRun& run, const PlannedSuite& planned);
Result<SuiteCost> long_prompt_cost(const PlannedSuite& planned, const EvalOptions& options);

// The context that the suites need beyond the engine's own choice; 0: none.
int context_for(std::span<const Suite> suites);

}  // namespace llmpatch
