#include "learn/int8_matrix.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "learn/processor.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && \
    defined(__AVX512VL__)
#define LLMPATCH_INT8_KERNEL
#include "learn/avx512_lanes.h"
#endif

namespace llmpatch {
namespace {

constexpr std::int64_t kBlock = Int8Matrix::kBlock;
constexpr std::int64_t kPanel = 32;  // columns of C computed together
constexpr std::int64_t kGroup = 4;   // values that one lane multiplies at once
constexpr std::int64_t kPanelBlock = kBlock * kPanel;
constexpr int kLargest = 127, kOffset = 128;

}  // namespace

std::int64_t Int8Matrix::panels() const { return (columns_ + kPanel - 1) / kPanel; }

Int8Matrix::Int8Matrix(std::int64_t depth, std::int64_t columns, const Bf16* values,
                       std::int64_t depth_stride, std::int64_t column_stride, const RunTasks& run)
    : depth_(depth), columns_(columns) {
  values_.assign(static_cast<std::size_t>(panels() * blocks() * kPanelBlock), kOffset);
  scales_.assign(static_cast<std::size_t>(panels() * blocks() * kPanel), 0);
  run(panels(), [&](std::int64_t panel) {
    for (std::int64_t block = 0; block < blocks(); ++block) {
      std::uint8_t* to = values_.data() + (panel * blocks() + block) * kPanelBlock;
      float* scales = scales_.data() + (panel * blocks() + block) * kPanel;
      for (std::int64_t i = 0; i < std::min(kPanel, columns_ - panel * kPanel); ++i) {
        const Bf16* from =
            values + block * kBlock * depth_stride + (panel * kPanel + i) * column_stride;
        float largest = 0;
        bool finite = true;
        for (std::int64_t d = 0; d < kBlock; ++d) {
          const float value = load(from[d * depth_stride]);
          finite = finite && std::isfinite(value);
          largest = std::max(largest, std::abs(value));
        }
        scales[i] = finite ? largest / kLargest : std::numeric_limits<float>::quiet_NaN();
        if (!finite || largest == 0) continue;
        for (std::int64_t d = 0; d < kBlock; ++d) {
          const auto rounded =
              static_cast<int>(std::nearbyint(load(from[d * depth_stride]) / scales[i]));
          to[d / kGroup * kPanel * kGroup + i * kGroup + d % kGroup] =
              static_cast<std::uint8_t>(std::clamp(rounded, -kLargest, kLargest) + kOffset);
        }
      }
    }
  });
}

#ifdef LLMPATCH_INT8_KERNEL
namespace {

constexpr int kVectors = kPanel / kVectorLanes;
constexpr int kRows = 6;  // rows of C computed together
// Rows of A that are rounded by one task: a row alone takes less than asking for the next task.
constexpr std::int64_t kRoundedTogether = 16;

// Rows of A as integers: [rows, depth] of them, and for every block of a row its scale and what the
// offset of B's values adds to a product of it, taken away.
struct Rounded {
  std::unique_ptr<std::int8_t[]> values;
  std::unique_ptr<float[]> scales;
  std::unique_ptr<std::int32_t[]> corrections;

  Rounded(std::int64_t rows, std::int64_t blocks)
      : values(std::make_unique_for_overwrite<std::int8_t[]>(
            static_cast<std::size_t>(rows * blocks * kBlock))),
        scales(std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(rows * blocks))),
        corrections(std::make_unique_for_overwrite<std::int32_t[]>(
            static_cast<std::size_t>(rows * blocks))) {}
};

__m512 widened(const Bf16* from) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

void round_block(const Bf16* from, std::int8_t* to, float& scale, std::int32_t& correction) {
  constexpr int kParts = kBlock / kVectorLanes;
  __m512 parts[kParts];
  __m512 largest = _mm512_setzero_ps();
  __mmask16 not_finite = 0;
  for (int i = 0; i < kParts; ++i) {
    parts[i] = widened(from + i * kVectorLanes);
    largest = _mm512_max_ps(largest, _mm512_abs_ps(parts[i]));
    not_finite |= _mm512_fpclass_ps_mask(parts[i], 0x99);  // either infinity, either kind of NaN
  }
  const float most = _mm512_reduce_max_ps(largest);
  // Integers have no NaN, but the scale makes every product of the block one: a run that diverges
  // must show it.
  scale = not_finite != 0 ? std::numeric_limits<float>::quiet_NaN() : most / kLargest;
  const __m512 factor = _mm512_set1_ps(most > 0 ? kLargest / most : 0);
  __m512i sum = _mm512_setzero_si512();
  for (int i = 0; i < kParts; ++i) {
    const __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(parts[i], factor));
    sum = _mm512_add_epi32(sum, rounded);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i * kVectorLanes),
                     _mm512_cvtsepi32_epi8(rounded));
  }
  correction = -kOffset * _mm512_reduce_add_epi32(sum);
}

// sum += right . left, four values in each lane. Written out because GCC 12 copies every sum twice
// for the intrinsic.
void multiply_add(__m512i& sum, __m512i right, __m512i left) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(right), "v"(left));
}

// Rows x kPanel elements of C. Everything points to the first row and the panel.
template <int Rows, class T>
void tile(std::int64_t blocks, const std::int8_t* a, const float* a_scales,
          const std::int32_t* corrections, const std::uint8_t* b, const float* b_scales, T* c,
          std::int64_t columns, std::int64_t width) {
  __m512 sums[Rows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[i][v] = _mm512_setzero_ps();
  }
  for (std::int64_t block = 0; block < blocks; ++block) {
    __m512i products[Rows][kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        products[i][v] = _mm512_set1_epi32(corrections[i * blocks + block]);
      }
    }
    for (std::int64_t d = 0; d < kBlock; d += kGroup, b += kPanel * kGroup) {
      __m512i right[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) right[v] = _mm512_loadu_si512(b + v * 64);
#pragma GCC unroll 8
      for (int i = 0; i < Rows; ++i) {
        int four;
        __builtin_memcpy(&four, a + (i * blocks + block) * kBlock + d, sizeof four);
        const __m512i left = _mm512_set1_epi32(four);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          multiply_add(products[i][v], right[v], left);
        }
      }
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const __m512 scales = _mm512_loadu_ps(b_scales + block * kPanel + v * kVectorLanes);
#pragma GCC unroll 8
      for (int i = 0; i < Rows; ++i) {
        const __m512 scale = _mm512_mul_ps(scales, _mm512_set1_ps(a_scales[i * blocks + block]));
        sums[i][v] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products[i][v]), scale, sums[i][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      store_lanes(c + i * columns + v * kVectorLanes, first_lanes(width - v * kVectorLanes),
                  sums[i][v]);
    }
  }
}

}  // namespace

bool has_fast_int8() {
  // Asking a virtual machine's processor takes long, hence once.
  static const bool fast = has_avx512_vnni() && !has_amx_bf16();
  return fast;
}

template <class T>
void Int8Matrix::multiply(std::int64_t rows, const Bf16* a, T* c, std::int64_t threads,
                          const RunTasks& run) const {
  const Rounded left(rows, blocks());
  run((rows + kRoundedTogether - 1) / kRoundedTogether, [&](std::int64_t task) {
    const std::int64_t first = task * kRoundedTogether * blocks();
    const std::int64_t last = std::min(rows * blocks(), first + kRoundedTogether * blocks());
    for (std::int64_t i = first; i < last; ++i) {
      round_block(a + i * kBlock, left.values.get() + i * kBlock, left.scales[i],
                  left.corrections[i]);
    }
  });
  // Small enough for threads to get equal shares, large enough for a panel to stay in the cache.
  const std::int64_t share = std::clamp<std::int64_t>(rows * panels() / (8 * threads), 48, 252);
  const std::int64_t rows_each = (share + kRows - 1) / kRows * kRows;
  const std::int64_t parts = (rows + rows_each - 1) / rows_each;
  run(panels() * parts, [&](std::int64_t task) {
    const std::int64_t panel = task / parts, first = task % parts * rows_each;
    const std::int64_t last = std::min(rows, first + rows_each);
    const std::uint8_t* b = values_.data() + panel * blocks() * kPanelBlock;
    const float* scales = scales_.data() + panel * blocks() * kPanel;
    const auto compute = [&]<int Rows>(std::int64_t row) {
      tile<Rows>(blocks(), left.values.get() + row * depth_, left.scales.get() + row * blocks(),
                 left.corrections.get() + row * blocks(), b, scales,
                 c + row * columns_ + panel * kPanel, columns_, columns_ - panel * kPanel);
    };
    std::int64_t row = first;
    for (; row + kRows <= last; row += kRows) compute.template operator()<kRows>(row);
    for (; row + 2 <= last; row += 2) compute.template operator()<2>(row);
    if (row < last) compute.template operator()<1>(row);
  });
}
#else
bool has_fast_int8() { return false; }
template <class T>
void Int8Matrix::multiply(std::int64_t, const Bf16*, T*, std::int64_t, const RunTasks&) const {}
#endif

template void Int8Matrix::multiply<float>(std::int64_t, const Bf16*, float*, std::int64_t,
                                          const RunTasks&) const;
template void Int8Matrix::multiply<Bf16>(std::int64_t, const Bf16*, Bf16*, std::int64_t,
                                         const RunTasks&) const;

}  // namespace llmpatch
