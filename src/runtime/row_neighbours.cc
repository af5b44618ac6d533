#include "runtime/row_neighbours.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>

namespace llmpatch {
namespace {

constexpr std::size_t kPart = 4096;  // embeddings held at a time

std::span<const float> row_of(const Rows& rows, std::size_t i) {
  return {rows.values.data() + i * rows.d, rows.d};
}

double dot(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::vector<double> norms_of(const Rows& rows) {
  std::vector<double> norms;
  for (std::size_t i = 0; i < rows.n; ++i) {
    norms.push_back(std::sqrt(dot(row_of(rows, i), row_of(rows, i))));
  }
  return norms;
}

// Keeps the `count` nearest, nearest first; of equal ones the smaller token.
void offer(std::vector<NearToken>& nearest, std::size_t count, NearToken token) {
  const auto place =
      std::upper_bound(nearest.begin(), nearest.end(), token,
                       [](const NearToken& a, const NearToken& b) { return a.cosine > b.cosine; });
  if (place == nearest.end() && nearest.size() == count) return;
  nearest.insert(place, token);
  if (nearest.size() > count) nearest.pop_back();
}

}  // namespace

bool RowNeighbours::far() const {
  return rows.norm_max > kFarRow * table.norm_max ||
         rows.norm_median > kFarMedian * table.norm_median;
}

Result<RowNeighbours> find_neighbours(const Model& model, const Rows& rows, std::size_t count) {
  if (rows.d != model.n_embd()) {
    return make_error(ErrorKind::kMismatch, "runtime",
                      "rows: found width " + std::to_string(rows.d) + ", expected " +
                          std::to_string(model.n_embd()) + " for " + model.path().string());
  }
  RowNeighbours found;
  found.rows = row_statistics(rows);
  found.nearest.resize(rows.n);
  const std::vector<double> lengths = norms_of(rows);
  std::vector<double> table_lengths;
  double squares = 0;
  for (std::size_t first = 0; first < model.n_vocab(); first += kPart) {
    Tokens tokens(std::min(kPart, model.n_vocab() - first));
    std::iota(tokens.begin(), tokens.end(), static_cast<Token>(first));
    LLMPATCH_ASSIGN(const Rows part, model.embed(tokens));
    const std::vector<double> part_lengths = norms_of(part);
    for (std::size_t t = 0; t < part.n; ++t) {
      squares += part_lengths[t] * part_lengths[t];
      for (std::size_t i = 0; i < rows.n; ++i) {
        const double lengths_product = lengths[i] * part_lengths[t];
        if (lengths_product == 0) continue;
        offer(found.nearest[i], count,
              {tokens[t], dot(row_of(rows, i), row_of(part, t)) / lengths_product});
      }
    }
    table_lengths.insert(table_lengths.end(), part_lengths.begin(), part_lengths.end());
  }
  const auto middle = table_lengths.begin() + static_cast<std::ptrdiff_t>(table_lengths.size() / 2);
  std::nth_element(table_lengths.begin(), middle, table_lengths.end());
  found.table.norm_median = *middle;
  const auto [least, most] = std::minmax_element(table_lengths.begin(), table_lengths.end());
  found.table.norm_min = *least;
  found.table.norm_max = *most;
  found.table.rms = std::sqrt(squares / static_cast<double>(model.n_vocab() * rows.d));
  return found;
}

}  // namespace llmpatch
