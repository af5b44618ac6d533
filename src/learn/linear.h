// Products with frozen matrices: gradients flow to the other factor alone.
#pragma once

#include <torch/types.h>

#include <memory>
#include <utility>

#include "learn/int8_matrix.h"

namespace llmpatch {

// A frozen matrix [outputs, depth], as given or as 8-bit integers. Copies share its values.
class FrozenMatrix {
 public:
  FrozenMatrix() = default;
  explicit FrozenMatrix(torch::Tensor weight) : plain_(std::move(weight)) {}
  // Rounded to 8 bits along the depth, and along the outputs for gradients (Int8Matrix), where
  // has_fast_int8() and both are multiples of its blocks; else as given. `weight` is bf16.
  static FrozenMatrix in_int8(torch::Tensor weight);

  // x [rows, depth] . weight^T, as `out`: x's type, or what its sums are computed in. (Sums of bf16
  // products as f32 are not rounded to bf16 on the way where bf16_product() has a kernel for the
  // processor.) Without gradient; x has the weight's type.
  torch::Tensor forward(const torch::Tensor& x, torch::Dtype out) const;
  // gradient [rows, outputs] . weight, likewise.
  torch::Tensor backward(const torch::Tensor& gradient, torch::Dtype out) const;

 private:
  torch::Tensor plain_;
  std::shared_ptr<const Int8Matrix> forward_, backward_;
};

// x [rows, depth] . weight^T + bias: [rows, outputs] in x's type, with a gradient to x. The weight
// has x's type and must outlive backward(); bias [outputs] or undefined.
torch::Tensor frozen_linear(const torch::Tensor& x, const FrozenMatrix& weight,
                            const torch::Tensor& bias = {});

}  // namespace llmpatch
