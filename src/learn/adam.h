// The optimiser of the rows: Adam with global-norm clipping and a warm-up + cosine schedule.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace llmpatch {

struct Schedule {
  double peak = 1e-2;        // learning rate after warm-up
  std::int64_t warmup = 8;   // steps of linear growth to the peak
  std::int64_t total = 100;  // steps in all
  double final_share = 0.1;  // of the peak, at the last step

  // Learning rate of step 0 .. total-1 (later steps get the final rate).
  double rate(std::int64_t step) const;
};

// Adam (Kingma & Ba 2015) on one tensor of rows. Copy it to save or restore its state.
struct Adam {
  double beta1 = 0.9, beta2 = 0.98, epsilon = 1e-8;
  double max_gradient_norm = 1;  // the gradient is scaled down to this norm
  std::int64_t steps = 0;
  torch::Tensor first, second;  // moments, made at the first update

  // Updates `rows` (f32, in place) with `gradient`. Returns the norm of the gradient before
  // clipping; when that is not finite nothing is changed.
  double update(torch::Tensor& rows, const torch::Tensor& gradient, double rate);
};

}  // namespace llmpatch
