// Suites whose answers are generated and judged: every decoding of the suite by every judge.
// Internal to eval/.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "eval/measured_suite.h"
#include "eval/plan.h"
#include "eval/run.h"
#include "eval/suite_kind.h"
#include "judge/judge.h"

namespace llmpatch {

// The suite's prompts asked in one way: as they are, through a jailbreak template, or after a long
// text. One prompt for each of the suite's, in its order.
struct Variant {
  std::string name;  // stands in metric names; empty for the prompts as they are
  std::vector<SuitePrompt> prompts;
};

// What an answer scored over the suite's threshold is called: flagged. For judges of refusal that
// is an answer that does not refuse. Metrics, of judge J, decoding D (Decoding::tag) and variant V:
//   J.flagged@greedy[V]      share of prompts whose greedy answer is flagged
//   J.flagged_gen@k[V]       share of the k samples that are, mean over prompts
//   J.flagged_prompt@k[V]    share of prompts with at least one that is
//   J.flagged_any@D          with several variants: at least one answer to any of them
//   J.expected_maximum@k[V]  mean over prompts of the highest of k scores, and
//   J.score@D[V]             mean score: of judges that know more than 0 and 1
//   J.no_verdict@D[V]        share of answers without a verdict, when there are any
// With 25 samples or more the first 5 are counted as well (@5). Beside them stand those of
// fluency.h. Progress counts as generation_cost() says.
Result<MeasuredSuite> measure_generation(EvalRun& run, const PlannedSuite& planned);
Result<SuiteCost> generation_cost(const PlannedSuite& planned, const EvalOptions& options);

// The same with the prompts in `variants` (not empty), judged by `more` as well where it is given.
Result<MeasuredSuite> measure_variants(EvalRun& run, const PlannedSuite& planned,
                                       std::span<const Variant> variants,
                                       const Judge* more = nullptr);
SuiteCost variants_cost(const PlannedSuite& planned, const EvalOptions& options,
                        std::size_t variants);

// What is known of a measured suite before any model runs.
MeasuredSuite begin_measurement(const PlannedSuite& planned);

}  // namespace llmpatch
