#include "learn/losses.h"

namespace llmpatch {

torch::Tensor sum_by_answer(const torch::Tensor& per_token, const torch::Tensor& answer_ids,
                            std::int64_t answers) {
  return torch::zeros({answers}, per_token.options()).index_add(0, answer_ids, per_token);
}

torch::Tensor sft_loss(const torch::Tensor& token_logprobs, const torch::Tensor& weights) {
  return -(token_logprobs * weights).mean();
}

torch::Tensor unlikelihood_loss(const torch::Tensor& probabilities, const torch::Tensor& weights) {
  return -(torch::log1p(-probabilities.clamp_max(1 - 1e-6)) * weights).mean();
}

DpoResult dpo_loss(const torch::Tensor& policy_chosen, const torch::Tensor& policy_rejected,
                   const torch::Tensor& reference_chosen, const torch::Tensor& reference_rejected,
                   double beta) {
  const torch::Tensor chosen = beta * (policy_chosen - reference_chosen);
  const torch::Tensor rejected = beta * (policy_rejected - reference_rejected);
  return {-torch::log_sigmoid(chosen - rejected).mean(), chosen.detach(), rejected.detach()};
}

}  // namespace llmpatch
