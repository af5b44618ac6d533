// The kind "perplexity": how well a system predicts a text it has not written. Internal to eval/.
#pragma once

#include "eval/plan.h"
#include "eval/run.h"
#include "eval/suite_kind.h"

namespace llmpatch {

// The whole text of suite.prompts as one raw prompt. kInvalidArgument for an empty file; errors of
// read_file (at most 16 MiB).
Result<std::vector<SuitePrompt>> read_text(const Suite& suite,
                                           std::optional<PromptFormat> override_format,
                                           PromptFormat fallback);

// Where the windows of a text of `tokens` tokens begin: whole windows of `window` tokens one after
// the other; the rest behind the last is left out, unless it is all there is (with two tokens or
// more).
std::vector<std::size_t> window_starts(std::size_t tokens, std::size_t window);

// Metrics: perplexity, the geometric mean over windows of the text (the unit of its interval). Each
// window is predicted from nothing but BOS, where the model has one, and what stands before in the
// window; the patch stands before it all. Without BOS its first token is not counted.
Result<MeasuredSuite> measure_text_perplexity(EvalRun& run, const PlannedSuite& planned);
Result<SuiteCost> text_perplexity_cost(const PlannedSuite& planned, const EvalOptions& options);

}  // namespace llmpatch
