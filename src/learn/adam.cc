#include "learn/adam.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace llmpatch {

double Schedule::rate(std::int64_t step) const {
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const auto span = std::max<std::int64_t>(1, total - 1 - warmup);
  const double progress =
      std::min(1.0, static_cast<double>(step - warmup) / static_cast<double>(span));
  const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * progress));
  return peak * (final_share + (1 - final_share) * cosine);
}

double Adam::update(torch::Tensor& rows, const torch::Tensor& gradient, double rate) {
  torch::NoGradGuard frozen;
  const double norm = gradient.norm().item<double>();
  if (!std::isfinite(norm)) return norm;
  const torch::Tensor g =
      norm > max_gradient_norm ? gradient * (max_gradient_norm / norm) : gradient;
  if (!first.defined()) {
    first = torch::zeros_like(rows);
    second = torch::zeros_like(rows);
  }
  ++steps;
  first.mul_(beta1).add_(g, 1 - beta1);
  second.mul_(beta2).addcmul_(g, g, 1 - beta2);
  const auto t = static_cast<double>(steps);
  const double correction1 = 1 - std::pow(beta1, t);
  const double correction2 = std::sqrt(1 - std::pow(beta2, t));
  rows.addcdiv_(first, (second.sqrt() / correction2).add_(epsilon), -rate / correction1);
  return norm;
}

}  // namespace llmpatch
