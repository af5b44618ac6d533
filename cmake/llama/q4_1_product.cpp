// Products of a Q4_1 matrix, for processors with AVX512-VNNI (those with AMX use ggml's own AMX
// kernels). ggml has kernels that reuse a block for several columns for most types, but computes
// Q4_1 one dot product at a time and unpacks every block anew for every column: four fifths of the
// time of SmolLM2-135M (Q4_1) went there.
//
// Linked with --wrap=llamafile_sgemm: ggml asks __wrap_llamafile_sgemm first, which passes on
// whatever it has no kernel for. Every element of a result is computed by the same operations in
// the same order whatever the shape of the batch: a product does not depend on its neighbours.
#include <cstdint>

#include "ggml-cpu-impl.h"
#include "ggml.h"

extern "C" bool __real_llamafile_sgemm(const ggml_compute_params* params, std::int64_t m,
                                       std::int64_t n, std::int64_t k, const void* a,
                                       std::int64_t lda, const void* b, std::int64_t ldb, void* c,
                                       std::int64_t ldc, int a_type, int b_type, int c_type);
extern "C" bool __wrap_llamafile_sgemm(const ggml_compute_params* params, std::int64_t m,
                                       std::int64_t n, std::int64_t k, const void* a,
                                       std::int64_t lda, const void* b, std::int64_t ldb, void* c,
                                       std::int64_t ldc, int a_type, int b_type, int c_type);

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VNNI__) && defined(__F16C__)
#define LLMPATCH_Q4_1_PRODUCT
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <vector>

#include "ggml-quants.h"

namespace {

constexpr std::int64_t kRows = 16;    // of the matrix: one lane of a vector each
constexpr std::int64_t kColumns = 8;  // computed together

float to_float(ggml_half half) { return _cvtsh_ss(half); }

// A block of each of 16 rows. Lane r of values[g] holds bytes 4g .. 4g+3 of row r's block: its
// values 4g .. 4g+3 in the low halves of the bytes, those 16 places further in the high halves.
struct Panel {
  __m512i values[4];
  __m512 scales, minimums;
};

// The packed values of block i of rows r, r + 4, r + 8 and r + 12, one row a 128-bit lane.
__m512i four_rows(const block_q4_1* const* rows, int r, std::int64_t i) {
  const auto values = [&](int row) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[row][i].qs));
  };
  const __m256i low = _mm256_set_m128i(values(r + 4), values(r));
  const __m256i high = _mm256_set_m128i(values(r + 12), values(r + 8));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

// Blocks of 16 rows, each an array of k.
void pack(const block_q4_1* const* rows, std::int64_t k, Panel* to) {
  static_assert(offsetof(block_q4_1, d) == 0 && offsetof(block_q4_1, m) == 2);
  for (std::int64_t i = 0; i < k; ++i) {
    // Within each 128-bit lane a square of 4 x 4: rows become columns.
    const __m512i a = four_rows(rows, 0, i), b = four_rows(rows, 1, i);
    const __m512i c = four_rows(rows, 2, i), d = four_rows(rows, 3, i);
    const __m512i ab_low = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b);
    const __m512i cd_low = _mm512_unpacklo_epi32(c, d), cd_high = _mm512_unpackhi_epi32(c, d);
    to[i].values[0] = _mm512_unpacklo_epi64(ab_low, cd_low);
    to[i].values[1] = _mm512_unpackhi_epi64(ab_low, cd_low);
    to[i].values[2] = _mm512_unpacklo_epi64(ab_high, cd_high);
    to[i].values[3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    alignas(64) std::int32_t halves[kRows];
    for (int row = 0; row < kRows; ++row) std::memcpy(&halves[row], &rows[row][i], 4);
    const __m512i both = _mm512_load_si512(halves);
    to[i].scales = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(both));
    to[i].minimums = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(both, 16)));
  }
}

// Columns [n, k blocks]: their values where they are, their scales and scaled sums as floats.
struct Columns {
  const block_q8_1* blocks;
  std::int64_t stride;
  std::vector<float> scales, sums;

  void read(const block_q8_1* from, std::int64_t ldb, std::int64_t n, std::int64_t k) {
    blocks = from;
    stride = ldb;
    scales.resize(static_cast<std::size_t>(n * k));
    sums.resize(scales.size());
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t i = 0; i < k; ++i) {
        scales[static_cast<std::size_t>(j * k + i)] = to_float(from[j * ldb + i].d);
        sums[static_cast<std::size_t>(j * k + i)] = to_float(from[j * ldb + i].s);
      }
    }
  }
};

// c[j] = 16 rows of the product with column first + j: the sum over blocks of scale_a scale_b
// (values_a . values_b) + minimum_a (scale_b sum(values_b)), block after block.
template <int Count>
void tile(const Panel* a, const Columns& b, std::int64_t first, std::int64_t k, __m512* c) {
  __m512 results[Count];
  for (__m512& result : results) result = _mm512_setzero_ps();
  const __m512i low = _mm512_set1_epi8(15);
  const block_q8_1* blocks = b.blocks + first * b.stride;
  const float* scales = b.scales.data() + first * k;
  const float* sums = b.sums.data() + first * k;
  for (std::int64_t i = 0; i < k; ++i) {
    __m512i left[8];
    for (int g = 0; g < 4; ++g) {
      left[g] = _mm512_and_si512(a[i].values[g], low);
      left[g + 4] = _mm512_and_si512(_mm512_srli_epi16(a[i].values[g], 4), low);
    }
    for (int j = 0; j < Count; ++j) {
      const auto* right = blocks[j * b.stride + i].qs;
      __m512i dots = _mm512_setzero_si512();
      for (int g = 0; g < 8; ++g) {
        std::int32_t four;
        std::memcpy(&four, right + 4 * g, 4);
        dots = _mm512_dpbusd_epi32(dots, left[g], _mm512_set1_epi32(four));
      }
      const __m512 scale = _mm512_mul_ps(a[i].scales, _mm512_set1_ps(scales[j * k + i]));
      results[j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots), scale, results[j]);
      results[j] = _mm512_fmadd_ps(a[i].minimums, _mm512_set1_ps(sums[j * k + i]), results[j]);
    }
  }
  for (int j = 0; j < Count; ++j) c[j] = results[j];
}

// The same for 1 to 8 columns.
void tiles(std::int64_t count, const Panel* a, const Columns& b, std::int64_t first, std::int64_t k,
           __m512* c) {
  static constexpr std::array kTiles{tile<1>, tile<2>, tile<3>, tile<4>,
                                     tile<5>, tile<6>, tile<7>, tile<8>};
  kTiles[static_cast<std::size_t>(count - 1)](a, b, first, k, c);
}

// This thread's part of C [n, m] (row stride ldc) = B [n, k blocks] A [m, k blocks]^T.
void product(const ggml_compute_params& params, std::int64_t m, std::int64_t n, std::int64_t k,
             const block_q4_1* a, std::int64_t lda, const block_q8_1* b, std::int64_t ldb, float* c,
             std::int64_t ldc) {
  thread_local std::vector<Panel> panel;
  thread_local Columns columns;
  const std::int64_t panels = (m + kRows - 1) / kRows;
  const std::int64_t begin = panels * params.ith / params.nth * kRows;
  const std::int64_t end = std::min(m, panels * (params.ith + 1) / params.nth * kRows);
  if (begin >= end) return;
  columns.read(b, ldb, n, k);
  panel.resize(static_cast<std::size_t>(k));
  for (std::int64_t row = begin; row < end; row += kRows) {
    const std::int64_t count = std::min(kRows, end - row);
    const block_q4_1* rows[kRows];  // past the last row the last one again, which is not stored
    for (std::int64_t r = 0; r < kRows; ++r) rows[r] = a + (row + std::min(r, count - 1)) * lda;
    pack(rows, k, panel.data());
    const auto stored = static_cast<__mmask16>((1U << count) - 1);
    for (std::int64_t column = 0; column < n; column += kColumns) {
      const std::int64_t together = std::min(kColumns, n - column);
      __m512 results[kColumns];
      tiles(together, panel.data(), columns, column, k, results);
      for (std::int64_t j = 0; j < together; ++j) {
        _mm512_mask_storeu_ps(c + (column + j) * ldc + row, stored, results[j]);
      }
    }
  }
}

}  // namespace
#endif

extern "C" bool __wrap_llamafile_sgemm(const ggml_compute_params* params, std::int64_t m,
                                       std::int64_t n, std::int64_t k, const void* a,
                                       std::int64_t lda, const void* b, std::int64_t ldb, void* c,
                                       std::int64_t ldc, int a_type, int b_type, int c_type) {
#ifdef LLMPATCH_Q4_1_PRODUCT
  if (a_type == GGML_TYPE_Q4_1 && b_type == GGML_TYPE_Q8_1 && c_type == GGML_TYPE_F32) {
    product(*params, m, n, k, static_cast<const block_q4_1*>(a), lda,
            static_cast<const block_q8_1*>(b), ldb, static_cast<float*>(c), ldc);
    return true;
  }
#endif
  return __real_llamafile_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
}
