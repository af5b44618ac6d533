// The arithmetic of attention over packed sequences with one shared prefix: forward and backward,
// on plain arrays. attention.h wraps it for LibTorch.
#pragma once

#include <cstdint>
#include <functional>

#include "learn/layout.h"

namespace llmpatch {

// Head sizes must be a multiple of this: whole vectors of the kernel in every type.
inline constexpr std::int64_t kHeadSizeMultiple = 16;

struct AttentionShape {
  std::int64_t heads = 0;      // query heads
  std::int64_t kv_heads = 0;   // divides heads
  std::int64_t head_size = 0;  // a multiple of kHeadSizeMultiple
  double scale = 1;            // of the scores, usually 1/sqrt(head_size)

  // Columns of a row of queries, keys and values side by side.
  std::int64_t columns() const { return (heads + 2 * kv_heads) * head_size; }
};

// Runs tasks 0 .. count-1, perhaps several at once.
using RunTasks = std::function<void(std::int64_t count, const std::function<void(std::int64_t)>&)>;

// All matrices are row-major and dense. T is float, double or Bf16 (computing in float).
//   qkv   [rows, shape.columns()]: queries, keys, values of every row, not yet rotated
//   cos, sin [rows, head_size / 2]: rotation of adjacent pairs by position
//   out   [rows, heads * head_size]
//   log_sums [rows, heads]: log of the sum of exponentials of each row's scores, for the backward
template <class T, class W>
void attention_forward(const Layout& layout, const AttentionShape& shape, const T* qkv,
                       const W* cos, const W* sin, T* out, W* log_sums, const RunTasks& run);

// grad_qkv [rows, shape.columns()] from grad_out [rows, heads * head_size]. Every sequence adds to
// the gradient of the prefix's keys and values in a fixed order: the result does not depend on how
// tasks are run.
template <class T, class W>
void attention_backward(const Layout& layout, const AttentionShape& shape, const T* qkv,
                        const W* cos, const W* sin, const T* out, const W* log_sums,
                        const T* grad_out, T* grad_qkv, const RunTasks& run);

}  // namespace llmpatch
