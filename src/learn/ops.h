// The transformer's elementwise steps as autograd functions that keep only what their backward pass
// needs: with frozen weights that is far less than LibTorch's composed operators keep.
#pragma once

#include <torch/types.h>

namespace llmpatch {

// x / sqrt(mean(x^2) + epsilon) * weight over the last dimension. x [rows, d] f32 or f64; the result
// has type `out` (bf16 for a bf16 matrix product to follow).
torch::Tensor rms_norm(const torch::Tensor& x, const torch::Tensor& weight, double epsilon,
                       torch::Dtype out);

// silu(gate) * up of gate_up [rows, 2 * f], whose first half is the gate; [rows, f].
torch::Tensor swiglu(const torch::Tensor& gate_up);

// Rotary embedding of adjacent pairs (llama.cpp's NORM order) on x [rows, heads * size]: pair i of
// each head is rotated by the angle whose cosine and sine stand in cos and sin [rows, size / 2].
torch::Tensor rotate_pairs(const torch::Tensor& x, const torch::Tensor& cos,
                           const torch::Tensor& sin, std::int64_t head_size);

}  // namespace llmpatch
