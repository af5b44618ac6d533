// Products with a frozen matrix kept as 8-bit integers, for processors with AVX512-VNNI and no AMX:
// they multiply four times as many of them in an instruction as floats.
#pragma once

#include <cstdint>
#include <vector>

#include "learn/run_tasks.h"
#include "learn/scalar.h"

namespace llmpatch {

// Whether int8 products are the fastest way on this processor (and compiled in): AVX512-VNNI, and
// neither AMX, with which bf16 is faster, nor another than x86-64.
bool has_fast_int8();

// A frozen matrix B [depth, columns]. Every column is cut along its depth into blocks of kBlock
// values, each rounded to 8 bits with a scale of its own; so are the rows of A when they are
// multiplied. A product is then off by about 1 % of the size of its terms, summed as errors are
// (as with ggml's Q8_0, whose blocks are half as long). Safe to share between threads.
class Int8Matrix {
 public:
  static constexpr std::int64_t kBlock = 64;

  Int8Matrix() = default;
  // B's value at (d, c) is values[d * depth_stride + c * column_stride]. Its depth must be a
  // multiple of kBlock. What is not finite, here or in A, makes every product of its block NaN.
  Int8Matrix(std::int64_t depth, std::int64_t columns, const Bf16* values,
             std::int64_t depth_stride, std::int64_t column_stride, const RunTasks& run);

  std::int64_t depth() const { return depth_; }
  std::int64_t columns() const { return columns_; }

  // C [rows, columns] = A [rows, depth] B, both dense and row-major. T is float or Bf16. `threads`
  // only decides how small the tasks are. Only where has_fast_int8().
  template <class T>
  void multiply(std::int64_t rows, const Bf16* a, T* c, std::int64_t threads,
                const RunTasks& run) const;

 private:
  std::int64_t blocks() const { return depth_ / kBlock; }
  std::int64_t panels() const;

  std::int64_t depth_ = 0, columns_ = 0;
  // Panels of columns one after another, missing columns zero. A panel holds, block by block, four
  // values (one group) of every column, then the next four; values lie 128 higher, since an
  // instruction multiplies unsigned numbers with signed ones.
  std::vector<std::uint8_t> values_;
  std::vector<float> scales_;  // [panel][block][column of the panel]
};

}  // namespace llmpatch
