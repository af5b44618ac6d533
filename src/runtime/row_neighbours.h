// Where the rows of a patch lie among a model's own input embeddings: a cheap look at what a
// learned prefix "says".
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "patch/rows.h"
#include "runtime/model.h"

namespace llmpatch {

inline constexpr double kFarRow = 4, kFarMedian = 8;

struct NearToken {
  Token token = 0;
  double cosine = 0;
};

struct RowNeighbours {
  RowStatistics rows, table;                    // norms of the rows, and of the embedding table
  std::vector<std::vector<NearToken>> nearest;  // of every row the tokens by cosine, nearest first

  // Whether rows are far off the table: one more than kFarRow times as long as the longest
  // embedding, or half of them more than kFarMedian times as long as the median one. Learned rows
  // are two to three times as long.
  bool far() const;
};
// Compares every row with every embedding of `model`, a part of the table at a time; `count` tokens
// are named for each row (fewer where the vocabulary has fewer). Tokens whose embedding is zero are
// near to nothing. kMismatch when the widths differ.
Result<RowNeighbours> find_neighbours(const Model& model, const Rows& rows, std::size_t count);

}  // namespace llmpatch
