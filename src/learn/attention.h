// Attention of packed sequences that share one prefix, as an autograd function.
#pragma once

#include <torch/types.h>

#include "learn/attention_kernel.h"
#include "learn/layout.h"

namespace llmpatch {

// qkv [rows, shape.columns()] holds the queries, keys and values of every row side by side, not yet
// rotated; cos and sin [rows, head_size / 2] are f32 (f64 for an f64 qkv). Returns [rows, heads *
// head_size] in qkv's type (f32, f64 or bf16). Every sequence looks at the prefix's keys and
// values, which exist once; their gradient is the sum over all sequences. Nothing of size rows x
// rows is kept for the backward pass. `layout` must outlive it.
torch::Tensor prefix_attention(const torch::Tensor& qkv, const torch::Tensor& cos,
                               const torch::Tensor& sin, const Layout& layout,
                               const AttentionShape& shape);

}  // namespace llmpatch
