#include "learn/layout.h"

#include <algorithm>
#include <map>
#include <optional>

namespace llmpatch {
namespace {

using Answers = std::vector<Tokens>;

// Rows of an answer: none for its last token, which predicts nothing that is asked for.
std::int64_t rows_of(const Tokens& answer) {
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(answer.size()) - 1);
}

// What the rows of a prompt's last `own` tokens and its answers look at, behind `before` rows.
Layout::Span span_of(std::int64_t own, const Answers& answers, std::int64_t before,
                     std::int64_t start) {
  Layout::Span span;
  span.start = start;
  span.before = before;
  const auto add = [&](std::int64_t count, std::int64_t shared) {
    const std::int64_t first = before + span.length;
    span.shared.insert(span.shared.end(), static_cast<std::size_t>(count), shared);
    span.own.insert(span.own.end(), static_cast<std::size_t>(count), first);
    span.length += count;
  };
  add(own, before);
  for (const Tokens& answer : answers) {
    add(rows_of(answer), before + own);
  }
  return span;
}

// The tokens that the prompts with the most common first token all begin with, each keeping at
// least one token of its own.
Tokens common_opening(const std::vector<Sequence>& sequences) {
  std::map<Token, std::size_t> firsts;
  for (const Sequence& sequence : sequences) ++firsts[sequence.prompt.front()];
  const auto most =
      std::max_element(firsts.begin(), firsts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == firsts.end() || most->second < 2) return {};
  std::optional<Tokens> opening;
  for (const Sequence& sequence : sequences) {
    if (sequence.prompt.front() != most->first) continue;
    const Tokens& prompt = sequence.prompt;
    if (!opening) opening = prompt;
    const auto end = std::mismatch(opening->begin(), opening->end(), prompt.begin(), prompt.end());
    opening->erase(end.first, opening->end());
    opening->resize(std::min(opening->size(), prompt.size() - 1));
  }
  return *opening;
}

bool begins_with(const Tokens& tokens, const Tokens& opening) {
  return tokens.size() > opening.size() &&
         std::equal(opening.begin(), opening.end(), tokens.begin());
}

}  // namespace

Layout pack(const std::vector<Sequence>& sequences, std::int64_t prefix_rows,
            const torch::Tensor& companion) {
  Layout layout;
  layout.prefix_rows = prefix_rows;
  layout.companion = companion;
  const std::int64_t companion_rows = companion.defined() ? companion.size(0) : 0;
  const std::int64_t given_rows = prefix_rows + companion_rows;               // no tokens
  const std::int64_t first_position = std::max(prefix_rows, companion_rows);  // of a prompt
  const Tokens opening = common_opening(sequences);
  const auto opening_rows = static_cast<std::int64_t>(opening.size());
  layout.shared_rows = given_rows + opening_rows;
  std::vector<std::int64_t> ids(opening.begin(), opening.end());
  std::vector<std::int64_t> positions, predict_rows, targets, answer_ids;
  const auto add_shared = [&](std::int64_t count, std::int64_t position, std::int64_t before) {
    if (count == 0) return;
    const auto start = static_cast<std::int64_t>(positions.size());
    layout.spans.push_back(span_of(count, {}, before, start));
    for (std::int64_t i = 0; i < count; ++i) positions.push_back(position + i);
  };
  if (companion_rows == 0) {
    add_shared(layout.shared_rows, 0, 0);
  } else {
    add_shared(prefix_rows, 0, 0);
    add_shared(companion_rows, 0, 0);
    add_shared(opening_rows, first_position, given_rows);
  }
  std::int64_t row = layout.shared_rows;
  for (const Sequence& sequence : sequences) {
    const bool opens = begins_with(sequence.prompt, opening);
    const std::int64_t before = opens ? layout.shared_rows : given_rows;
    const auto prompt = static_cast<std::int64_t>(sequence.prompt.size());
    const std::int64_t own = opens ? prompt - opening_rows : prompt;
    layout.spans.push_back(span_of(own, sequence.answers, before, row));
    for (std::int64_t i = prompt - own; i < prompt; ++i) {
      ids.push_back(sequence.prompt[static_cast<std::size_t>(i)]);
      positions.push_back(first_position + i);
    }
    const std::int64_t last_prompt_row = row + own - 1;
    row += own;
    for (const Tokens& answer : sequence.answers) {
      for (std::int64_t i = 0; i < rows_of(answer); ++i) {
        ids.push_back(answer[static_cast<std::size_t>(i)]);
        positions.push_back(first_position + prompt + i);
      }
      for (std::size_t i = 0; i < answer.size(); ++i) {
        predict_rows.push_back(i == 0 ? last_prompt_row : row + static_cast<std::int64_t>(i) - 1);
        targets.push_back(answer[i]);
        answer_ids.push_back(layout.answers);
      }
      row += rows_of(answer);
      ++layout.answers;
    }
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
