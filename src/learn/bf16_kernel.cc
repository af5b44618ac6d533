#include "learn/bf16_kernel.h"

#include <algorithm>
#include <vector>

#include "learn/processor.h"

#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define LLMPATCH_BF16_KERNEL
#include <immintrin.h>
#endif

namespace llmpatch {

#ifdef LLMPATCH_BF16_KERNEL
namespace {

bool suits_processor() {
  static const bool suits = has_avx512_bf16() && !has_amx_bf16();
  return suits;
}

constexpr std::int64_t kLanes = 16;
constexpr int kVectors = 4;
constexpr std::int64_t kPanel = kVectors * kLanes;  // columns of C computed together
constexpr int kRows = 6;                            // rows of C computed together
constexpr std::int64_t kDepth = 1024;               // pairs of a panel: it stays in the L2 cache

// A panel of B: for every pair of depths, kPanel columns of two values each.
struct alignas(64) Pairs {
  __m512i values;  // of 16 columns
};
using Panel = std::vector<Pairs>;

__mmask16 first_lanes(std::int64_t count) {
  return static_cast<__mmask16>((1U << std::clamp<std::int64_t>(count, 0, kLanes)) - 1);
}

// Rows of 16 pairs to columns of 16 pairs.
void transpose(__m512i (&m)[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(m[i], m[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(m[i], m[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    m[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    m[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    m[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    m[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(m[i], m[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(m[i], m[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(m[i + 8], m[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(m[i + 8], m[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    m[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    m[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    m[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    m[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

// `width` rows of B^T [columns, depth], which begin at `b`: pairs lie together already.
void pack_transposed(const Bf16* b, std::int64_t depth, std::int64_t width, std::int64_t pairs,
                     Panel& panel) {
  __m512i block[16];
  for (int vector = 0; vector < kVectors; ++vector) {
    for (std::int64_t pair = 0; pair < pairs; pair += kLanes) {
      const __mmask16 inside = first_lanes(pairs - pair);
      for (std::int64_t i = 0; i < kLanes; ++i) {
        const std::int64_t row = vector * kLanes + i;
        block[i] = row < width ? _mm512_maskz_loadu_epi32(inside, b + row * depth + 2 * pair)
                               : _mm512_setzero_si512();
      }
      transpose(block);
      for (std::int64_t i = 0; i < std::min(kLanes, pairs - pair); ++i) {
        panel[static_cast<std::size_t>((pair + i) * kVectors + vector)].values = block[i];
      }
    }
  }
}

// `width` columns of B [depth, columns], which begin at `b`.
void pack_plain(const Bf16* b, std::int64_t columns, std::int64_t width, std::int64_t pairs,
                Panel& panel) {
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    const Bf16* row = b + 2 * pair * columns;
    for (int vector = 0; vector < kVectors; ++vector) {
      const std::int64_t from = vector * kLanes;
      const __mmask16 inside = first_lanes(width - from);
      const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(inside, row + from));
      const __m512i high =
          _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(inside, row + columns + from));
      panel[static_cast<std::size_t>(pair * kVectors + vector)].values =
          _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
    }
  }
}

void store_lanes(float* to, __mmask16 lanes, __m512 values) {
  _mm512_mask_storeu_ps(to, lanes, values);
}
void store_lanes(Bf16* to, __mmask16 lanes, __m512 values) {
  _mm256_mask_storeu_epi16(to, lanes, (__m256i)_mm512_cvtneps_pbh(values));
}

// Rows x kPanel elements of C over `pairs` pairs of depths. `before` holds what earlier depths gave
// (null: nothing), `after` takes the sum where later depths follow (null: it goes to `c`).
template <int Rows, class T>
void tile(const Bf16* a, std::int64_t depth, const Panel& panel, std::int64_t pairs, float* before,
          float* after, T* c, std::int64_t columns, std::int64_t width) {
  __m512 sums[Rows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      sums[i][v] = before == nullptr ? _mm512_setzero_ps()
                                     : _mm512_loadu_ps(before + i * kPanel + v * kLanes);
    }
  }
  const Pairs* right = panel.data();
  for (std::int64_t pair = 0; pair < pairs; ++pair, right += kVectors) {
    __m512bh b[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) b[v] = (__m512bh)right[v].values;
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      int both;
      __builtin_memcpy(&both, a + i * depth + 2 * pair, sizeof both);
      const auto left = (__m512bh)_mm512_set1_epi32(both);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[i][v] = _mm512_dpbf16_ps(sums[i][v], left, b[v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      if (after != nullptr) {
        _mm512_storeu_ps(after + i * kPanel + v * kLanes, sums[i][v]);
      } else {
        store_lanes(c + i * columns + v * kLanes, first_lanes(width - v * kLanes), sums[i][v]);
      }
    }
  }
}

// `rows` rows of one panel of C.
template <class T>
void rows_of_panel(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Bf16* a,
                   const Bf16* b, bool transposed, std::int64_t first_column, T* c) {
  thread_local Panel panel;
  thread_local std::vector<float> partial;
  const std::int64_t width = std::min(kPanel, columns - first_column);
  const std::int64_t all_pairs = depth / 2;
  panel.resize(static_cast<std::size_t>(std::min(kDepth, all_pairs) * kVectors));
  if (all_pairs > kDepth) partial.resize(static_cast<std::size_t>(rows * kPanel));
  for (std::int64_t pair = 0; pair < all_pairs; pair += kDepth) {
    const std::int64_t pairs = std::min(kDepth, all_pairs - pair);
    if (transposed) {
      pack_transposed(b + first_column * depth + 2 * pair, depth, width, pairs, panel);
    } else {
      pack_plain(b + 2 * pair * columns + first_column, columns, width, pairs, panel);
    }
    const auto run = [&]<int Rows>(std::int64_t row) {
      float* sums = all_pairs > kDepth ? partial.data() + row * kPanel : nullptr;
      tile<Rows>(a + row * depth + 2 * pair, depth, panel, pairs, pair == 0 ? nullptr : sums,
                 pair + pairs == all_pairs ? nullptr : sums, c + row * columns + first_column,
                 columns, width);
    };
    std::int64_t row = 0;
    for (; row + kRows <= rows; row += kRows) run.template operator()<kRows>(row);
    for (; row + 2 <= rows; row += 2) run.template operator()<2>(row);
    if (row < rows) run.template operator()<1>(row);
  }
}

}  // namespace

template <class T>
bool bf16_product(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Bf16* a,
                  const Bf16* b, bool transposed, T* c, std::int64_t threads,
                  const RunBf16Tasks& run) {
  if (!suits_processor() || depth % 2 != 0) return false;
  const std::int64_t panels = (columns + kPanel - 1) / kPanel;
  // Small enough for threads to get equal shares, large enough to be worth unpacking a panel.
  const std::int64_t share = std::clamp<std::int64_t>(rows * panels / (8 * threads), 48, 252);
  const std::int64_t rows_each = (share + kRows - 1) / kRows * kRows;
  const std::int64_t parts = (rows + rows_each - 1) / rows_each;
  run(panels * parts, [&](std::int64_t task) {
    const std::int64_t first = task % parts * rows_each;
    rows_of_panel(std::min(rows_each, rows - first), columns, depth, a + first * depth, b,
                  transposed, task / parts * kPanel, c + first * columns);
  });
  return true;
}
#else
template <class T>
bool bf16_product(std::int64_t, std::int64_t, std::int64_t, const Bf16*, const Bf16*, bool, T*,
                  std::int64_t, const RunBf16Tasks&) {
  return false;
}
#endif

template bool bf16_product<float>(std::int64_t, std::int64_t, std::int64_t, const Bf16*,
                                  const Bf16*, bool, float*, std::int64_t, const RunBf16Tasks&);
template bool bf16_product<Bf16>(std::int64_t, std::int64_t, std::int64_t, const Bf16*, const Bf16*,
                                 bool, Bf16*, std::int64_t, const RunBf16Tasks&);

}  // namespace llmpatch
