// What a frozen model's matrix products are computed in.
#pragma once

#include <torch/types.h>

#include <array>
#include <cstddef>

namespace llmpatch {

// kInt8: products with the model's matrices in 8-bit integers where their sizes allow it
// (FrozenMatrix), everything else as with kBf16.
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

// What this processor learns fastest in. bf16 only where it is multiplied in hardware: elsewhere it
// is emulated, and slower than f32.
Arithmetic fastest_arithmetic();

}  // namespace llmpatch
