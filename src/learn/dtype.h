// What numbers are computed in: by matrix products, and beside them.
#pragma once

#include <torch/types.h>

#include <array>

namespace llmpatch {

// What a frozen model's matrix products are computed in. kInt8: its blocks' in 8-bit integers where
// their sizes allow (FrozenMatrix), everything else as with kBf16.
enum class Arithmetic { kF64, kF32, kBf16, kInt8 };

// In the order of the enum.
inline constexpr std::array kArithmeticNames = {"f64", "f32", "bf16", "int8"};

inline const char* name_of(Arithmetic arithmetic) {
  return kArithmeticNames[static_cast<std::size_t>(arithmetic)];
}

// The type of a model's weights and of what its matrix products take and give.
inline torch::Dtype dtype_of(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kF64:
      return torch::kDouble;
    case Arithmetic::kF32:
      return torch::kFloat32;
    default:
      return torch::kBFloat16;
  }
}

// What norms, sums and the residual stream are computed in when matrix products have type `dtype`:
// f64 for f64, else f32.
inline torch::Dtype work_dtype(torch::Dtype dtype) {
  return dtype == torch::kDouble ? torch::kDouble : torch::kFloat32;
}

}  // namespace llmpatch
