// A small matrix product on one thread, for blocks that fit the processor's caches.
#pragma once

#include <cstdint>

namespace llmpatch {

// A 64-byte vector of W: one AVX-512 register, or what the compiler makes of it elsewhere.
typedef float FloatVector __attribute__((vector_size(64), aligned(4), may_alias));
typedef double DoubleVector __attribute__((vector_size(64), aligned(8), may_alias));
template <class W>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef FloatVector type;
};
template <>
struct VectorOf<double> {
  typedef DoubleVector type;
};
template <class W>
using Vector = typename VectorOf<W>::type;
template <class W>
inline constexpr std::int64_t kLanes = static_cast<std::int64_t>(64 / sizeof(W));

// Rows x (kColumns vectors) of C, kept in registers over the whole depth.
template <class W, int kRows, int kColumns>
inline void product_tile(std::int64_t depth, const W* a, std::int64_t a_row, std::int64_t a_column,
                         const W* b, std::int64_t b_row, W* c, std::int64_t c_row, bool add) {
  Vector<W> sum[kRows][kColumns];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) {
      sum[i][j] =
          add ? *reinterpret_cast<const Vector<W>*>(c + i * c_row + j * kLanes<W>) : Vector<W>{};
    }
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    Vector<W> right[kColumns];
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) {
      right[j] = *reinterpret_cast<const Vector<W>*>(b + k * b_row + j * kLanes<W>);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const W left = a[i * a_row + k * a_column];
#pragma GCC unroll 4
      for (int j = 0; j < kColumns; ++j) sum[i][j] += left * right[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) {
      *reinterpret_cast<Vector<W>*>(c + i * c_row + j * kLanes<W>) = sum[i][j];
    }
  }
}

// C [rows, columns] = A [rows, depth] B [depth, columns], or += with `add`. A is read through two
// strides (so it may be transposed); B and C are row-major with row strides b_row and c_row.
// Columns are computed in whole vectors: `columns` is rounded up to kLanes<W>, and B's and C's rows
// must be readable and writable that far.
template <class W>
void product(std::int64_t rows, std::int64_t columns, std::int64_t depth, const W* a,
             std::int64_t a_row, std::int64_t a_column, const W* b, std::int64_t b_row, W* c,
             std::int64_t c_row, bool add) {
  const std::int64_t lanes = kLanes<W>;
  std::int64_t j = 0;
  const auto columns_of = [&]<int kColumns>() {
    std::int64_t i = 0;
    for (; i + 8 <= rows; i += 8) {
      product_tile<W, 8, kColumns>(depth, a + i * a_row, a_row, a_column, b + j, b_row,
                                   c + i * c_row + j, c_row, add);
    }
    for (; i < rows; ++i) {
      product_tile<W, 1, kColumns>(depth, a + i * a_row, a_row, a_column, b + j, b_row,
                                   c + i * c_row + j, c_row, add);
    }
    j += kColumns * lanes;
  };
  while (j + lanes < columns) columns_of.template operator()<2>();
  if (j < columns) columns_of.template operator()<1>();
}

}  // namespace llmpatch
