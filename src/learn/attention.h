// Causal attention of many packed sequences that share one prefix, with grouped key-value heads.
#pragma once

#include <torch/types.h>

#include "learn/layout.h"

namespace llmpatch {

struct AttentionShape {
  std::int64_t heads = 0;     // query heads
  std::int64_t kv_heads = 0;  // divides heads
  std::int64_t head_size = 0;
  double scale = 1;  // of the scores, usually 1/sqrt(head_size)
};

// q [rows, heads * head_size], k and v [rows, kv_heads * head_size], already rotated; returns
// [rows, heads * head_size] in q's type. Every sequence looks at the prefix's keys and values, which
// exist once; their gradient is the sum over all sequences. Nothing of size rows x rows is kept for
// the backward pass: the probabilities are computed again from their log-sum-exp.
torch::Tensor prefix_attention(const torch::Tensor& q, const torch::Tensor& k,
                               const torch::Tensor& v, const Layout& layout,
                               const AttentionShape& shape);

}  // namespace llmpatch
