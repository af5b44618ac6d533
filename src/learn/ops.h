// The transformer's elementwise steps as autograd functions. Each is one pass over memory and keeps
// only what its backward pass needs.
#pragma once

#include <torch/types.h>

#include <utility>

namespace llmpatch {

// x / sqrt(mean(x^2) + epsilon) * weight over each row. x [rows, width] in f32 (f64); the result
// has type `out`, that of the matrix product to follow.
torch::Tensor rms_norm(const torch::Tensor& x, const torch::Tensor& weight, double epsilon,
                       torch::Dtype out);

// A residual connection and the norm that follows it: sum = x + y and rms_norm(sum). x [rows,
// width] in f32 (f64), y in the type of the matrix products. Returns (sum, normed).
std::pair<torch::Tensor, torch::Tensor> add_norm(const torch::Tensor& x, const torch::Tensor& y,
                                                 const torch::Tensor& weight, double epsilon);

// silu(gate) * up of gate_up [rows, 2 * f], whose first half is the gate; [rows, f].
torch::Tensor swiglu(const torch::Tensor& gate_up);

}  // namespace llmpatch
