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

// Rows of the packed batch. First come the rows that sequences share: the prefix (n rows, positions
// 0..n-1), a companion where there is one (m rows, positions 0..m-1), then the tokens that most
// prompts begin with (a chat template's opening), from position max(n, m) on. Prefix and companion
// each look at themselves alone, everything behind them at both: the parallel composition of
// runtime/engine.h. Every sequence follows as `rest of the prompt | answer 0 | answer 1 ...`, each
// answer at the position after its prompt and without its last token, which predicts nothing. All
// of this is exact: what comes first never sees what comes later.
struct Layout {
  // The rows of one sequence and what each of them looks at: the first `shared` visible rows (the
  // prefixes, and for an answer also its prompt), and its own part up to itself.
  struct Span {
    std::int64_t start = 0;  // first row in the batch
    std::int64_t length = 0;
    std::int64_t before = 0;  // rows 0 .. before-1 of the batch precede it; all of them are visible
    // Visible rows are counted with those before it first, then its own: before + i is row i. Row i
    // looks at [0, shared[i]) and [own[i], before + i].
    std::vector<std::int64_t> shared, own;
  };

  std::int64_t prefix_rows = 0;  // n
  std::int64_t shared_rows = 0;  // n, m and the prompts' common opening
  std::vector<Span> spans;       // the shared rows on themselves first (if any), then the sequences
  std::int64_t rows = 0;         // all of them
  torch::Tensor token_ids;       // [rows - n - m] int64
  torch::Tensor positions;       // [rows] int64

  // One entry per answer token, in order of sequences and answers: the row whose output predicts
  // it, its token id, and the number of its answer (counted over the whole batch).
  torch::Tensor predict_rows;  // [A] int64
  torch::Tensor targets;       // [A] int64
  torch::Tensor answer_ids;    // [A] int64
  std::int64_t answers = 0;

  torch::Tensor companion;  // [m, width], fixed: no gradient flows to it; undefined: none
};

// Packs `sequences` behind a prefix of `prefix_rows` rows (0: none), and beside that a companion of
// at least one row (undefined: none).
Layout pack(const std::vector<Sequence>& sequences, std::int64_t prefix_rows,
            const torch::Tensor& companion = {});

}  // namespace llmpatch
