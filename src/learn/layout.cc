#include "learn/layout.h"

#include <limits>

namespace llmpatch {
namespace {

// What each row of `sequence` may look at: the prefix, its prompt up to itself, and its own answer
// up to itself.
torch::Tensor sequence_mask(const Sequence& sequence, std::int64_t prefix_rows,
                            std::int64_t length) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  auto mask = torch::full({length, prefix_rows + length}, kNever);
  auto look = mask.accessor<float, 2>();
  const auto prompt = static_cast<std::int64_t>(sequence.prompt.size());
  const auto allow = [&](std::int64_t row, std::int64_t from, std::int64_t to) {
    for (std::int64_t column = from; column < to; ++column) look[row][column] = 0;
  };
  for (std::int64_t row = 0; row < prompt; ++row) allow(row, 0, prefix_rows + row + 1);
  std::int64_t start = prompt;
  for (const Tokens& answer : sequence.answers) {
    const auto end = start + static_cast<std::int64_t>(answer.size());
    for (std::int64_t row = start; row < end; ++row) {
      allow(row, 0, prefix_rows + prompt);
      allow(row, prefix_rows + start, prefix_rows + row + 1);
    }
    start = end;
  }
  return mask;
}

}  // namespace

Layout pack(const std::vector<Sequence>& sequences, std::int64_t prefix_rows, torch::Dtype dtype) {
  Layout layout;
  layout.prefix_rows = prefix_rows;
  std::vector<std::int64_t> ids, positions, predict_rows, targets, answer_ids;
  for (std::int64_t row = 0; row < prefix_rows; ++row) positions.push_back(row);
  if (prefix_rows > 0) {
    Sequence prefix;
    prefix.prompt.resize(static_cast<std::size_t>(prefix_rows));
    layout.prefix_mask = sequence_mask(prefix, 0, prefix_rows).to(dtype);
  }
  std::int64_t row = prefix_rows;
  for (const Sequence& sequence : sequences) {
    Layout::Span span;
    span.start = row;
    const auto prompt = static_cast<std::int64_t>(sequence.prompt.size());
    for (std::int64_t i = 0; i < prompt; ++i) {
      ids.push_back(sequence.prompt[static_cast<std::size_t>(i)]);
      positions.push_back(prefix_rows + i);
    }
    const std::int64_t last_prompt_row = row + prompt - 1;
    row += prompt;
    for (const Tokens& answer : sequence.answers) {
      for (std::size_t i = 0; i < answer.size(); ++i) {
        ids.push_back(answer[i]);
        positions.push_back(prefix_rows + prompt + static_cast<std::int64_t>(i));
        predict_rows.push_back(i == 0 ? last_prompt_row : row - 1);
        targets.push_back(answer[i]);
        answer_ids.push_back(layout.answers);
        ++row;
      }
      ++layout.answers;
    }
    span.length = row - span.start;
    span.mask = sequence_mask(sequence, prefix_rows, span.length).to(dtype);
    layout.sequences.push_back(std::move(span));
  }
  layout.rows = row;
  layout.token_ids = torch::tensor(ids, torch::kLong);
  layout.positions = torch::tensor(positions, torch::kLong);
  layout.predict_rows = torch::tensor(predict_rows, torch::kLong);
  layout.targets = torch::tensor(targets, torch::kLong);
  layout.answer_ids = torch::tensor(answer_ids, torch::kLong);
  return layout;
}

}  // namespace llmpatch
