// bf16 and the conversions that the kernels of learn/ do while they load and store.
#pragma once

#include <bit>
#include <cstdint>

namespace llmpatch {

// The upper half of an IEEE single. Same bytes as LibTorch's BFloat16.
struct Bf16 {
  std::uint16_t bits;
};

// The type a kernel computes in when its tensors hold T.
template <class T>
struct WorkType {
  using type = T;
};
template <>
struct WorkType<Bf16> {
  using type = float;
};
template <class T>
using Work = typename WorkType<T>::type;

inline float load(Bf16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}
inline float load(float value) { return value; }
inline double load(double value) { return value; }

// Rounds to nearest, ties to even; not-a-number stays one.
inline void store(Bf16& to, float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  to.bits = static_cast<std::uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded);
}
inline void store(float& to, float value) { to = value; }
inline void store(double& to, double value) { to = value; }

}  // namespace llmpatch
