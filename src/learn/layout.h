// How sequences lie packed in one batch behind one shared prefix.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "runtime/model.h"

namespace llmpatch {

// One prompt with the answers that continue it. The answers share the prompt's computation: each
// attends to the prefix, the prompt and itself, never to another answer.
struct Sequence {
  Tokens prompt;                // at least one token
  std::vector<Tokens> answers;  // may be empty
};

// Rows of the packed batch: the prefix first (n rows, positions 0..n-1), then every sequence as
// `prompt | answer 0 | answer 1 ...`; prompts begin at position n and every answer at the position
// after its prompt.
struct Layout {
  struct Span {
    std::int64_t start = 0;   // first row in the batch
    std::int64_t length = 0;  // rows
    torch::Tensor mask;       // [length, n + length] f32: 0 where row may look, -inf elsewhere
  };

  std::int64_t prefix_rows = 0;
  std::vector<Span> sequences;
  std::int64_t rows = 0;        // n + all sequences
  torch::Tensor token_ids;      // [rows - n] int64
  torch::Tensor positions;      // [rows] int64
  torch::Tensor prefix_mask;    // [n, n] causal, undefined when n is 0

  // One entry per answer token, in order of sequences and answers: the row whose output predicts it,
  // its token id, and the number of its answer (counted over the whole batch).
  torch::Tensor predict_rows;  // [A] int64
  torch::Tensor targets;       // [A] int64
  torch::Tensor answer_ids;    // [A] int64
  std::int64_t answers = 0;
};

// Packs `sequences` behind a prefix of `prefix_rows` rows (0: none). Masks are in `dtype`.
Layout pack(const std::vector<Sequence>& sequences, std::int64_t prefix_rows,
            torch::Dtype dtype = torch::kFloat32);

}  // namespace llmpatch
