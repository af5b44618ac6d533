// The kind "drift": how far the distributions of the systems are from the model's and from the
// reference M', token by token. Is the patched model nearer to M' than the model was? Internal to
// eval/.
#pragma once

#include "eval/plan.h"
#include "eval/run.h"
#include "eval/suite_kind.h"

namespace llmpatch {

// Metrics of a system X, in nats per token, means over prompts of means over tokens:
//   kl_from_base       KL(M || X) on M's own greedy answers; not of M itself
//   kl_from_reference  KL(M' || X) on the greedy answers of M' (teacher, else the model under the
//                      system prompt); not of M' itself, and only where there is one
// kMismatch for a teacher whose vocabulary differs in size: its distributions cannot be compared.
Result<MeasuredSuite> measure_drift(EvalRun& run, const PlannedSuite& planned);
Result<SuiteCost> drift_cost(const PlannedSuite& planned, const EvalOptions& options);

}  // namespace llmpatch
