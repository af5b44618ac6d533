// The losses, with TRL's names for what they report.
#pragma once

#include <torch/types.h>

#include "learn/layout.h"

namespace llmpatch {

// Sums per-token values [A] by answer: [answers]. `answer_ids` [A] are Layout::answer_ids, or the
// first of them with as many values and the number of answers they belong to.
torch::Tensor sum_by_answer(const torch::Tensor& per_token, const torch::Tensor& answer_ids,
                            std::int64_t answers);

// Cross-entropy per answer token (paper Eq. 2): minus the mean of weight times log-probability.
// Both [A]; the mean is over A, whatever the weights sum to.
torch::Tensor sft_loss(const torch::Tensor& token_logprobs, const torch::Tensor& weights);

// Unlikelihood of what should not be said (Welleck et al., arXiv 1908.04319, Eq. 4): the mean of
// weight times -log(1 - p). `probabilities` p and `weights` are [A]; 1 - p counts as at least 1e-6,
// so that the loss stays finite.
torch::Tensor unlikelihood_loss(const torch::Tensor& probabilities, const torch::Tensor& weights);

// Direct preference optimisation (paper Eq. 3): the mean over pairs of
//   -log sigmoid(beta ((log pi(y+) - log ref(y+)) - (log pi(y-) - log ref(y-)))),
// with log-probabilities summed over answer tokens. All tensors [pairs].
struct DpoResult {
  torch::Tensor loss;      // scalar, with gradient
  torch::Tensor chosen;    // rewards/chosen: beta (log pi - log ref), detached [pairs]
  torch::Tensor rejected;  // rewards/rejected
};
DpoResult dpo_loss(const torch::Tensor& policy_chosen, const torch::Tensor& policy_rejected,
                   const torch::Tensor& reference_chosen, const torch::Tensor& reference_rejected,
                   double beta);

}  // namespace llmpatch
