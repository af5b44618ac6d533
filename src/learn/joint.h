// One patch against several risks (the paper's P_multi), learned from what finished runs of single
// patches made: their pairs, retained prompts and validation prompts together.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "judge/judge.h"
#include "learn/learn.h"
#include "learn/settings.h"
#include "patch/base_identity.h"

namespace llmpatch {

// Options that a joint run cannot have, or fewer than two runs: kInvalidArgument.
Status check_joint_options(const LearnOptions& options);

// Reads the runs of `options.joint`; the lists of the result are theirs, one run after the other.
// What any of them validates on, none is learned from, and of benign validation prompts that
// several have one is kept. Errors of read_finished_run(); kMismatch: a run of another model than
// `base`; kInvalidArgument: two runs of one risk, one without validation prompts, an overlap with a
// test file; kUnmet: a run without pairs.
Result<LearnData> read_joint_data(const LearnOptions& options, const BaseIdentity& base);

// The runs' judges. Errors of make_judge(); kMismatch when one is not what it was in its run.
Result<std::vector<std::unique_ptr<Judge>>> make_judges(const std::vector<FinishedRun>& runs,
                                                        const JudgeOptions& options);

// One of the runs as data of its own.
LearnData data_of(const FinishedRun& run);

}  // namespace llmpatch
