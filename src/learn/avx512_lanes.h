// What kernels written for AVX-512 share: whole and partial vectors of 16 lanes. For files that are
// compiled for such a processor.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>

#include "learn/scalar.h"

namespace llmpatch {

inline constexpr std::int64_t kVectorLanes = 16;

// The first `count` lanes: none below 0, all from 16 on.
inline __mmask16 first_lanes(std::int64_t count) {
  return static_cast<__mmask16>((1U << std::clamp<std::int64_t>(count, 0, kVectorLanes)) - 1);
}

inline void store_lanes(float* to, __mmask16 lanes, __m512 values) {
  _mm512_mask_storeu_ps(to, lanes, values);
}

// Rounded to bf16, to nearest with ties to even.
inline void store_lanes(Bf16* to, __mmask16 lanes, __m512 values) {
#ifdef __AVX512BF16__
  _mm256_mask_storeu_epi16(to, lanes, (__m256i)_mm512_cvtneps_pbh(values));
#else
  alignas(64) float each[kVectorLanes];
  _mm512_store_ps(each, values);
  for (int i = 0; i < kVectorLanes; ++i) {
    if ((lanes >> i) & 1) store(to[i], each[i]);
  }
#endif
}

}  // namespace llmpatch
