// What is learned from: preference pairs and texts to retain, as token ids.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/result.h"
#include "learn/layout.h"
#include "learn/transformer.h"

namespace llmpatch {

// At most `count` of the places 0 to size - 1, evenly spread and rising.
std::vector<std::size_t> spread_places(std::size_t size, std::size_t count);

// A preference pair. `chosen` and `rejected` are answers after the same prompt.
struct Pair {
  Tokens prompt, chosen, rejected;
  double reference_chosen = 0, reference_rejected = 0;  // log-probabilities under the reference
  // Whether unlikelihood keeps benign answers from beginning as `chosen` does. Not where a joint
  // run's chosen answer is an ordinary text: its first word is as good a beginning as any.
  bool refuses = true;
};

// Cuts an answer to its first `limit` tokens (0: not at all).
void cut_answer(Tokens& answer, std::int64_t limit);

// A text whose distribution should stay: a prompt and the base model's own answer to it.
struct Retained {
  Tokens prompt, answer;
  torch::Tensor hidden;  // [answer, width] the base model's final hidden states; constant.
                         // Undefined until fill_base_hidden
};

// Log-probability of every sequence's answers, summed over their tokens, in order. Runs in batches
// of bounded size. kCancelled.
Result<std::vector<double>> answer_logprobs(const Transformer& model, const Adaptation& adaptation,
                                            const std::vector<Sequence>& sequences,
                                            const CancelFlag* cancel, const ProgressFn& progress);

// Fills `hidden` of retained texts, of all or of those at the places `which`, with a forward pass
// of the base model. kCancelled.
Status fill_base_hidden(const Transformer& model, std::vector<Retained>& texts,
                        const CancelFlag* cancel, const ProgressFn& progress);
Status fill_base_hidden(const Transformer& model, std::vector<Retained>& texts,
                        const std::vector<std::size_t>& which, const CancelFlag* cancel,
                        const ProgressFn& progress);

// Mean KL(base || adapted) per token over `texts` (the mean of the per-text means), in nats.
Result<double> mean_divergence(const Transformer& model, const Adaptation& adaptation,
                               const std::vector<Retained>& texts, const CancelFlag* cancel);

}  // namespace llmpatch
