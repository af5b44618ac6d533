#include "learn/bf16_kernel.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "learn/processor.h"

#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define LLMPATCH_BF16_KERNEL
#include "learn/avx512_lanes.h"
#endif

namespace llmpatch {

std::optional<Bf16Unit> fastest_bf16_unit() {
#ifdef LLMPATCH_BF16_KERNEL
  // Intel's processors multiply pairs at half the rate of floats, counted in values; AMD's at
  // twice. Asking a virtual machine's processor takes long, hence once.
  static const auto fastest = has_amx_bf16() || !has_avx512_bf16() ? std::nullopt
                              : is_intel()                         ? std::optional(Bf16Unit::kFloat)
                                                                   : std::optional(Bf16Unit::kPair);
  return fastest;
#else
  return std::nullopt;
#endif
}

#ifdef LLMPATCH_BF16_KERNEL
namespace {

constexpr int kVectors = 4;
constexpr std::int64_t kPanel = kVectors * kVectorLanes;  // columns of C computed together
constexpr int kRows = 6;                                  // rows of C computed together
constexpr std::int64_t kDepth = 1024;  // units of a panel: it stays in the L2 cache

// What one instruction multiplies in each of its 16 lanes, always 32 bits: two neighbouring bf16
// values of a row of A with two of a column of B, or one of each widened to f32. A panel of B
// holds, for every unit of depth, kPanel columns.
struct alignas(64) Lanes {
  __m512i values;  // of 16 columns
};
using Panel = std::vector<Lanes>;

struct PairUnit {
  static constexpr std::int64_t kValues = 2;  // of A or B in a unit
  static __m512 multiply_add(__m512i left, __m512i right, __m512 sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)left, (__m512bh)right);
  }
  static void put_pairs(__m512i pairs, std::int64_t pair, int vector, Panel& panel) {
    panel[static_cast<std::size_t>(pair * kVectors + vector)].values = pairs;
  }
};

struct FloatUnit {
  static constexpr std::int64_t kValues = 1;
  static __m512 multiply_add(__m512i left, __m512i right, __m512 sum) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(left), _mm512_castsi512_ps(right), sum);
  }
  static void put_pairs(__m512i pairs, std::int64_t pair, int vector, Panel& panel) {
    const auto low = static_cast<std::size_t>(2 * pair * kVectors + vector);
    panel[low].values = _mm512_slli_epi32(pairs, 16);
    panel[low + kVectors].values =
        _mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000U)));
  }
};

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
template <class Unit>
void pack_transposed(const Bf16* b, std::int64_t depth, std::int64_t width, std::int64_t pairs,
                     Panel& panel) {
  __m512i block[16];
  for (int vector = 0; vector < kVectors; ++vector) {
    for (std::int64_t pair = 0; pair < pairs; pair += kVectorLanes) {
      const __mmask16 inside = first_lanes(pairs - pair);
      for (std::int64_t i = 0; i < kVectorLanes; ++i) {
        const std::int64_t row = vector * kVectorLanes + i;
        block[i] = row < width ? _mm512_maskz_loadu_epi32(inside, b + row * depth + 2 * pair)
                               : _mm512_setzero_si512();
      }
      transpose(block);
      for (std::int64_t i = 0; i < std::min(kVectorLanes, pairs - pair); ++i) {
        Unit::put_pairs(block[i], pair + i, vector, panel);
      }
    }
  }
}

// `width` columns of B [depth, columns], which begin at `b`.
template <class Unit>
void pack_plain(const Bf16* b, std::int64_t columns, std::int64_t width, std::int64_t pairs,
                Panel& panel) {
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    const Bf16* row = b + 2 * pair * columns;
    for (int vector = 0; vector < kVectors; ++vector) {
      const std::int64_t from = vector * kVectorLanes;
      const __mmask16 inside = first_lanes(width - from);
      const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(inside, row + from));
      const __m512i high =
          _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(inside, row + columns + from));
      Unit::put_pairs(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)), pair, vector, panel);
    }
  }
}

// Rows x kPanel elements of C over `units` units of depth, where `a` begins in a row of A with
// `stride` of them. `before` holds what earlier depths gave (null: nothing), `after` takes the sum
// where later depths follow (null: it goes to `c`).
template <class Unit, int Rows, class T>
void tile(const std::uint32_t* a, std::int64_t stride, const Panel& panel, std::int64_t units,
          float* before, float* after, T* c, std::int64_t columns, std::int64_t width) {
  __m512 sums[Rows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      sums[i][v] = before == nullptr ? _mm512_setzero_ps()
                                     : _mm512_loadu_ps(before + i * kPanel + v * kVectorLanes);
    }
  }
  const Lanes* right = panel.data();
  for (std::int64_t unit = 0; unit < units; ++unit, right += kVectors) {
    __m512i b[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) b[v] = right[v].values;
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      int one;  // copied: pairs are read from an array of bf16
      __builtin_memcpy(&one, a + i * stride + unit, sizeof one);
      const __m512i left = _mm512_set1_epi32(one);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[i][v] = Unit::multiply_add(left, b[v], sums[i][v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      if (after != nullptr) {
        _mm512_storeu_ps(after + i * kPanel + v * kVectorLanes, sums[i][v]);
      } else {
        store_lanes(c + i * columns + v * kVectorLanes, first_lanes(width - v * kVectorLanes),
                    sums[i][v]);
      }
    }
  }
}

// `rows` rows of one panel of C. `a` are rows of units.
template <class Unit, class T>
void rows_of_panel(std::int64_t rows, std::int64_t columns, std::int64_t depth,
                   const std::uint32_t* a, const Bf16* b, bool transposed,
                   std::int64_t first_column, T* c) {
  thread_local Panel panel;
  thread_local std::vector<float> partial;
  const std::int64_t width = std::min(kPanel, columns - first_column);
  const std::int64_t all = depth / Unit::kValues;
  panel.resize(static_cast<std::size_t>(std::min(kDepth, all) * kVectors));
  if (all > kDepth) partial.resize(static_cast<std::size_t>(rows * kPanel));
  for (std::int64_t unit = 0; unit < all; unit += kDepth) {
    const std::int64_t units = std::min(kDepth, all - unit);
    const std::int64_t value = unit * Unit::kValues, pairs = units * Unit::kValues / 2;
    if (transposed) {
      pack_transposed<Unit>(b + first_column * depth + value, depth, width, pairs, panel);
    } else {
      pack_plain<Unit>(b + value * columns + first_column, columns, width, pairs, panel);
    }
    const auto run = [&]<int Rows>(std::int64_t row) {
      float* sums = all > kDepth ? partial.data() + row * kPanel : nullptr;
      tile<Unit, Rows>(a + row * all + unit, all, panel, units, unit == 0 ? nullptr : sums,
                       unit + units == all ? nullptr : sums, c + row * columns + first_column,
                       columns, width);
    };
    std::int64_t row = 0;
    for (; row + kRows <= rows; row += kRows) run.template operator()<kRows>(row);
    for (; row + 2 <= rows; row += 2) run.template operator()<2>(row);
    if (row < rows) run.template operator()<1>(row);
  }
}

void widen(const Bf16* from, std::int64_t count, std::uint32_t* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<std::uint32_t>(from[i].bits) << 16;
}

template <class Unit, class T>
void product(std::int64_t rows, std::int64_t columns, std::int64_t depth, const std::uint32_t* a,
             const Bf16* b, bool transposed, T* c, std::int64_t threads, const RunTasks& run) {
  const std::int64_t panels = (columns + kPanel - 1) / kPanel;
  // Small enough for threads to get equal shares, large enough to be worth unpacking a panel.
  const std::int64_t share = std::clamp<std::int64_t>(rows * panels / (8 * threads), 48, 252);
  const std::int64_t rows_each = (share + kRows - 1) / kRows * kRows;
  const std::int64_t parts = (rows + rows_each - 1) / rows_each;
  run(panels * parts, [&](std::int64_t task) {
    const std::int64_t first = task % parts * rows_each;
    rows_of_panel<Unit>(std::min(rows_each, rows - first), columns, depth,
                        a + first * (depth / Unit::kValues), b, transposed, task / parts * kPanel,
                        c + first * columns);
  });
}

}  // namespace

template <class T>
bool bf16_product(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Bf16* a,
                  const Bf16* b, bool transposed, T* c, std::int64_t threads, const RunTasks& run,
                  std::optional<Bf16Unit> unit) {
  if (!unit || depth % 2 != 0) return false;
  if (unit == Bf16Unit::kPair) {
    const auto* pairs = reinterpret_cast<const std::uint32_t*>(a);
    product<PairUnit>(rows, columns, depth, pairs, b, transposed, c, threads, run);
    return true;
  }
  const auto floats =
      std::make_unique_for_overwrite<std::uint32_t[]>(static_cast<std::size_t>(rows * depth));
  run(rows, [&](std::int64_t row) { widen(a + row * depth, depth, floats.get() + row * depth); });
  product<FloatUnit>(rows, columns, depth, floats.get(), b, transposed, c, threads, run);
  return true;
}
#else
template <class T>
bool bf16_product(std::int64_t, std::int64_t, std::int64_t, const Bf16*, const Bf16*, bool, T*,
                  std::int64_t, const RunTasks&, std::optional<Bf16Unit>) {
  return false;
}
#endif

template bool bf16_product<float>(std::int64_t, std::int64_t, std::int64_t, const Bf16*,
                                  const Bf16*, bool, float*, std::int64_t, const RunTasks&,
                                  std::optional<Bf16Unit>);
template bool bf16_product<Bf16>(std::int64_t, std::int64_t, std::int64_t, const Bf16*, const Bf16*,
                                 bool, Bf16*, std::int64_t, const RunTasks&,
                                 std::optional<Bf16Unit>);

}  // namespace llmpatch
