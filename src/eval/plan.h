// What a run will do, settled before any model runs. Internal to eval/; plan_eval() is the public
// face.
#pragma once

#include <vector>

#include "eval/evaluate.h"

namespace llmpatch {

// A suite with its prompts read.
struct PlannedSuite {
  Suite suite;
  std::string prompts_sha256;
  std::vector<SuitePrompt> prompts;
  std::vector<std::size_t> examples;      // prompts answered in full for the report
  std::vector<std::size_t> side_effects;  // prompts whose side effects are measured
};

// Reads the suites and checks them: names differ, and nothing was learned from. Errors as
// run_eval().
Result<std::vector<PlannedSuite>> plan_suites(const EvalOptions& options, const Model& model);

// The systems a run measures, in report order.
std::vector<System> systems_of(const EvalOptions& options);
// M', the safer model that a patch is to come near: the teacher, else the model under the system
// prompt, else none.
std::optional<System> reference_system(const EvalOptions& options);
// How many of `prompts` prompts `system` answers.
std::size_t prompts_of(const System& system, std::size_t prompts, const EvalOptions& options);

// The suites of kind "refusal" whose prompts serve `compliance` (the first that expects refusals)
// and timing (the first that expects answers, else the first); null without one or without a patch.
const PlannedSuite* compliance_suite(const std::vector<PlannedSuite>& suites,
                                     const EvalOptions& options);
const PlannedSuite* timing_suite(const std::vector<PlannedSuite>& suites,
                                 const EvalOptions& options);

// `count` indices spread evenly over [0, n), fewer when n is smaller; ascending.
std::vector<std::size_t> spread(std::size_t count, std::size_t n);

// Units of progress: prompts over all phases.
Result<std::uint64_t> planned_work(const std::vector<PlannedSuite>& suites,
                                   const EvalOptions& options);

}  // namespace llmpatch
