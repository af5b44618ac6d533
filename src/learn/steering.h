// Steering: a control vector instead of a prefix. Nothing is trained; it is the cheap alternative
// that a learned patch has to beat.
//
// The direction is the mean difference of residual states between the chosen and the rejected
// answers of the preference pairs, at the tokens of the answers (contrastive activation addition,
// Rimsky et al. 2024, arXiv 2312.06681). The other usual contrast, harmful less benign prompts at
// their last token (Arditi et al. 2024, arXiv 2406.11717), finds the direction along which a model
// that refuses tells the two apart; a base model that refuses nothing need not have one, while the
// pairs show what is wanted whatever the model does by itself. They are also what the other methods
// learn from.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "learn/examples.h"
#include "learn/learn.h"
#include "runtime/block_states.h"

namespace llmpatch {

// Per block the mean over `pairs` (not empty) of its states at the tokens of the chosen answer,
// less the same at those of the rejected one: a mean of means, so that every pair counts alike.
// Pairs with an empty answer are left out; kUnmet when none is left. Errors of BlockReader;
// kCancelled. `progress` counts pairs.
Result<BlockStates> mean_difference(const Model& model, std::span<const Pair> pairs, int threads,
                                    bool exact, const CancelFlag* cancel,
                                    const ProgressFn& progress);

// The control vector that adds `direction` behind `block` of a model, as GGUF (adapters.h), with
// what is to be known of it.
struct SteeringFile {
  std::string name, architecture;
  std::size_t blocks = 0, block = 0;
  std::vector<float> direction;
  std::string learned, run;  // a record as JSON text, and the key of the run that made it
};
std::string control_vector_bytes(const SteeringFile& file);

// As learn_patch(), with one GGUF file as `options.output`: makes the pairs, measures the
// differences, and adds them behind a third, half and two thirds of the blocks, each at several
// scales; what validates best, within max_over_refusal, is written, its scale multiplied in.
Result<LearnReport> learn_steering(const LearnOptions& options, const LearnHooks& hooks);

}  // namespace llmpatch
