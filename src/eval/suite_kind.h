// The kinds of suites: how each reads its prompts, what it costs and how it is measured. A new kind
// is a file of its own and one line in the table of suite_kind.cc. Internal to eval/.
#pragma once

#include <string_view>
#include <vector>

#include "eval/measured_suite.h"
#include "eval/plan.h"
#include "eval/run.h"

namespace llmpatch {

// What one suite costs, over all systems; upper bounds.
struct SuiteCost {
  std::uint64_t work = 0;  // units of progress: exactly what measure() closes (WorkProgress)
  std::uint64_t generated_tokens = 0;
  std::uint64_t scored_tokens = 0;
};

struct SuiteKind {
  std::string_view name;
  // Reads what is asked. Errors of read_suite_prompts().
  Result<std::vector<SuitePrompt>> (*read)(const Suite& suite,
                                           std::optional<PromptFormat> override_format,
                                           PromptFormat fallback);
  Result<SuiteCost> (*cost)(const PlannedSuite& planned, const EvalOptions& options);
  // Null for "refusal", which run_eval() measures itself.
  Result<MeasuredSuite> (*measure)(EvalRun& run, const PlannedSuite& planned);
};

// The kind of that name; kNotFound lists the names.
Result<const SuiteKind*> find_suite_kind(std::string_view name);

}  // namespace llmpatch
