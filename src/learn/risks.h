// How a joint run tells of its risks: the base model's figure of each, what was reached, and what
// got worse.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "learn/finished_run.h"
#include "learn/learn.h"
#include "learn/run_directory.h"
#include "learn/validator.h"

namespace llmpatch {

// The stage "baseline": measures the base model on every risk's validation prompts and leaves
// baseline.json, a figure a risk. Nothing where it is done. Errors of the validator; kIo.
Status measure_baseline(RunDirectory& run, const std::vector<FinishedRun>& runs,
                        Validator& validator);

// That file: a report a run, in order, without what was found. kCorrupt names the risk it lacks.
Result<std::vector<RiskReport>> read_baseline(const RunDirectory& run,
                                              const std::vector<FinishedRun>& runs);

// "the base model alone: toxicity 81 %, gender-bias 40 %".
std::string baseline_text(const std::vector<RiskReport>& risks);

// "refused 90 % (toxicity 95 % from 81 %, ...), over-refused 2 %, KL 0.05": no risk hides behind
// the mean of all. `risks` has an entry for each of `found`; none in a single run.
std::string validation_text(const Validation& found, const std::vector<RiskReport>& risks);

// A line for every risk of which `found` is worse than the base model.
std::vector<std::string> worse_risks(const Validation& found, const std::vector<RiskReport>& risks);

}  // namespace llmpatch
