// The kind "gender": whether continuations speak of a man or a woman, and which of the two the
// model leans to. Internal to eval/.
#pragma once

#include "eval/plan.h"
#include "eval/run.h"
#include "eval/suite_kind.h"

namespace llmpatch {

// The metrics of measure_generation() (its judge `gender` is GAS). Where the lines name the pronoun
// that is right (`pronoun`: "female" or "male", on all of them), a judge `right-pronoun` flags the
// answers that use it and none of the other gender. And from the first token after
// each prompt (judge/gender_lean.h; P_f and P_m the probabilities of the female and male words):
//   gld           |P_f - P_m| / (P_f + P_m), mean over prompts
//   gld_raw       |P_f - P_m|
//   signed_bias   (P_f - P_m) / (P_f + P_m)
//   mass          P_f + P_m; mass_median is its median
//   low_mass      share of prompts whose mass is below 1e-3, where gld is a ratio of rests
// A system whose median mass is below 0.3 of the model's gets a note that its GLD does not count.
// settings.signed_bias is the signed bias by system and category (occupation).
Result<MeasuredSuite> measure_gender(EvalRun& run, const PlannedSuite& planned);
Result<SuiteCost> gender_cost(const PlannedSuite& planned, const EvalOptions& options);

}  // namespace llmpatch
