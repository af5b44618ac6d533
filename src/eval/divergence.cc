#include "eval/divergence.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace llmpatch {

double log_sum_exp(std::span<const float> logits) {
  if (logits.empty()) return -std::numeric_limits<double>::infinity();
  const float peak = *std::max_element(logits.begin(), logits.end());
  if (!std::isfinite(peak)) return peak;
  // exp in float (its rounding averages out over the vocabulary), the sum in double.
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - peak);
  return peak + std::log(sum);
}

double kl_divergence(std::span<const float> p_logits, std::span<const float> q_logits) {
  const double log_p_norm = log_sum_exp(p_logits), log_q_norm = log_sum_exp(q_logits);
  const auto shift = static_cast<float>(log_p_norm);
  double weighted = 0, total = 0;
  for (std::size_t i = 0; i < p_logits.size(); ++i) {
    const double p = std::exp(p_logits[i] - shift);
    if (p == 0) continue;
    weighted += p * (static_cast<double>(p_logits[i]) - static_cast<double>(q_logits[i]));
    total += p;
  }
  // Dividing by the total takes out the rounding of `shift`.
  return std::max(0.0, weighted / total - log_p_norm + log_q_norm);
}

}  // namespace llmpatch
