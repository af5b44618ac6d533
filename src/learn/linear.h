// Products with frozen matrices: gradients flow to the other factor alone.
#pragma once

#include <torch/types.h>

namespace llmpatch {

// x [rows, depth] . weight^T + bias: [rows, outputs] in x's type. weight [outputs, depth], of x's
// type, and bias [outputs] (or undefined) are frozen.
torch::Tensor frozen_linear(const torch::Tensor& x, const torch::Tensor& weight,
                            const torch::Tensor& bias = {});

// The same without bias or gradient, as `out`. Products of bf16 as f32 are not rounded to bf16 on
// the way where bf16_product() has a kernel for the processor.
torch::Tensor product_transposed(const torch::Tensor& x, const torch::Tensor& weight,
                                 torch::Dtype out);

// x [rows, outputs] . weight [outputs, depth]: [rows, depth] as `out`, without gradient.
torch::Tensor product_plain(const torch::Tensor& x, const torch::Tensor& weight, torch::Dtype out);

}  // namespace llmpatch
