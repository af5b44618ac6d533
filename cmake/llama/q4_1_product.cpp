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
#include <cstring>
#include <vector>

#include "ggml-quants.h"

namespace {

constexpr std::int64_t kTile = 4;    // rows and columns computed together
constexpr std::int64_t kPanel = 64;  // columns unpacked together

float to_float(ggml_half half) { return _cvtsh_ss(half); }

// Rows of blocks as arrays. Two blocks fill a vector of 64 bytes; what is missing at the end is
// zero and adds nothing.
class Unpacked {
 public:
  // Room for `rows` rows of `blocks` blocks; what was there is lost.
  void shape(std::int64_t rows, std::int64_t blocks) {
    pairs_ = (blocks + 1) / 2;
    offset_vectors_ = (blocks + 15) / 16;
    const auto vectors = static_cast<std::size_t>(rows * (2 * pairs_ + offset_vectors_));
    if (storage_.size() < vectors) storage_.resize(vectors);
    scales_ = rows * pairs_;
    offsets_ = 2 * scales_;
    std::memset(static_cast<void*>(storage_.data()), 0, vectors * sizeof(Vector));
  }
  std::int64_t pairs() const { return pairs_; }
  std::int64_t offset_vectors() const { return offset_vectors_; }

  // The values of a pair of blocks as bytes; the blocks' scales, eight times each, as the lanes of
  // their dot products want them; the offsets of 16 blocks.
  const void* bytes(std::int64_t row, std::int64_t pair) const {
    return &storage_[static_cast<std::size_t>(row * pairs_ + pair)];
  }
  const float* scales(std::int64_t row, std::int64_t pair) const {
    return storage_[static_cast<std::size_t>(scales_ + row * pairs_ + pair)].values;
  }
  const float* offsets(std::int64_t row, std::int64_t vector) const {
    return storage_[static_cast<std::size_t>(offsets_ + row * offset_vectors_ + vector)].values;
  }

  void set(std::int64_t row, std::int64_t block, __m256i values, float scale, float offset) {
    auto* pair = static_cast<char*>(const_cast<void*>(bytes(row, block / 2)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(pair + block % 2 * 32), values);
    float* scales = const_cast<float*>(this->scales(row, block / 2)) + block % 2 * 8;
    _mm256_storeu_ps(scales, _mm256_set1_ps(scale));
    const_cast<float*>(offsets(row, block / 16))[block % 16] = offset;
  }

 private:
  struct alignas(64) Vector {
    float values[16];
  };
  std::vector<Vector> storage_;
  std::int64_t pairs_ = 0, offset_vectors_ = 0, scales_ = 0, offsets_ = 0;
};

void unpack_row(const block_q4_1* blocks, std::int64_t count, std::int64_t row, Unpacked& to) {
  const __m256i low = _mm256_set1_epi8(15);
  for (std::int64_t i = 0; i < count; ++i) {
    const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(blocks[i].qs));
    const __m256i both = _mm256_set_m128i(_mm_srli_epi16(packed, 4), packed);
    to.set(row, i, _mm256_and_si256(both, low), to_float(blocks[i].d), to_float(blocks[i].m));
  }
}

void unpack_column(const block_q8_1* blocks, std::int64_t count, std::int64_t column,
                   Unpacked& to) {
  for (std::int64_t i = 0; i < count; ++i) {
    to.set(column, i, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(blocks[i].qs)),
           to_float(blocks[i].d), to_float(blocks[i].s));
  }
}

// sum over blocks of scale_a scale_b (bytes_a . bytes_b) + minimum_a (scale_b sum(bytes_b)), for
// Rows x Columns elements from (row, column) on.
template <int Rows, int Columns>
void tile(const Unpacked& a, std::int64_t row, const Unpacked& b, std::int64_t column, float* c,
          std::int64_t ldc) {
  __m512 sums[Rows][Columns];
  for (auto& of_row : sums) {
    for (__m512& sum : of_row) sum = _mm512_setzero_ps();
  }
  for (std::int64_t pair = 0; pair < a.pairs(); ++pair) {
    __m512i left[Rows];
    __m512 left_scales[Rows];
    for (int i = 0; i < Rows; ++i) {
      left[i] = _mm512_load_si512(a.bytes(row + i, pair));
      left_scales[i] = _mm512_load_ps(a.scales(row + i, pair));
    }
    for (int j = 0; j < Columns; ++j) {
      const __m512i right = _mm512_load_si512(b.bytes(column + j, pair));
      const __m512 right_scales = _mm512_load_ps(b.scales(column + j, pair));
      for (int i = 0; i < Rows; ++i) {
        const __m512i dots = _mm512_dpbusd_epi32(_mm512_setzero_si512(), left[i], right);
        sums[i][j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots),
                                     _mm512_mul_ps(left_scales[i], right_scales), sums[i][j]);
      }
    }
  }
  for (std::int64_t vector = 0; vector < a.offset_vectors(); ++vector) {
    for (int j = 0; j < Columns; ++j) {
      const __m512 right = _mm512_load_ps(b.offsets(column + j, vector));
      for (int i = 0; i < Rows; ++i) {
        const __m512 left = _mm512_load_ps(a.offsets(row + i, vector));
        sums[i][j] = _mm512_fmadd_ps(left, right, sums[i][j]);
      }
    }
  }
  for (int j = 0; j < Columns; ++j) {
    for (int i = 0; i < Rows; ++i) c[j * ldc + i] = _mm512_reduce_add_ps(sums[i][j]);
  }
}

template <int Rows>
void tiles(const Unpacked& a, const Unpacked& b, std::int64_t columns, float* c, std::int64_t ldc) {
  std::int64_t j = 0;
  for (; j + kTile <= columns; j += kTile) tile<Rows, kTile>(a, 0, b, j, c + j * ldc, ldc);
  for (; j < columns; ++j) tile<Rows, 1>(a, 0, b, j, c + j * ldc, ldc);
}

// This thread's part of C [n, m] (row stride ldc) = B [n, k blocks] A [m, k blocks]^T.
void product(const ggml_compute_params& params, std::int64_t m, std::int64_t n, std::int64_t k,
             const block_q4_1* a, std::int64_t lda, const block_q8_1* b, std::int64_t ldb, float* c,
             std::int64_t ldc) {
  thread_local Unpacked rows, columns;
  const std::int64_t parts = (m + kTile - 1) / kTile;
  const std::int64_t first = parts * params.ith / params.nth * kTile;
  const std::int64_t last = std::min(m, parts * (params.ith + 1) / params.nth * kTile);
  for (std::int64_t panel = 0; panel < n && first < last; panel += kPanel) {
    const std::int64_t width = std::min(kPanel, n - panel);
    columns.shape(width, k);
    for (std::int64_t j = 0; j < width; ++j) unpack_column(b + (panel + j) * ldb, k, j, columns);
    rows.shape(kTile, k);
    for (std::int64_t i = first; i < last; i += kTile) {
      const std::int64_t count = std::min(kTile, last - i);
      for (std::int64_t r = 0; r < count; ++r) unpack_row(a + (i + r) * lda, k, r, rows);
      float* to = c + panel * ldc + i;
      switch (count) {
        case 4:
          tiles<4>(rows, columns, width, to, ldc);
          break;
        case 3:
          tiles<3>(rows, columns, width, to, ldc);
          break;
        case 2:
          tiles<2>(rows, columns, width, to, ldc);
          break;
        default:
          tiles<1>(rows, columns, width, to, ldc);
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
