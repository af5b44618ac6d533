#include "learn/examples.h"

#include <functional>
#include <numeric>

#include "learn/losses.h"
#include "learn/output.h"

namespace llmpatch {
namespace {

constexpr std::int64_t kBatchRows = 2048;  // tokens of one forward pass without gradients

// Calls visit(first, last) for runs of sequences that fit one forward pass together.
Status for_batches(const std::vector<Sequence>& sequences, const CancelFlag* cancel,
                   const ProgressFn& progress,
                   const std::function<void(std::size_t first, std::size_t last)>& visit) {
  std::size_t first = 0;
  while (first < sequences.size()) {
    LLMPATCH_TRY(check_cancelled(cancel, "learn"));
    std::size_t last = first;
    std::int64_t rows = 0;
    while (last < sequences.size() && (last == first || rows < kBatchRows)) {
      rows += static_cast<std::int64_t>(sequences[last].prompt.size());
      for (const auto& answer : sequences[last].answers)
        rows += static_cast<std::int64_t>(answer.size());
      ++last;
    }
    visit(first, last);
    first = last;
    if (progress) progress(first, sequences.size(), "");
  }
  return {};
}

std::vector<Sequence> slice(const std::vector<Sequence>& all, std::size_t first, std::size_t last) {
  return {all.begin() + static_cast<std::ptrdiff_t>(first),
          all.begin() + static_cast<std::ptrdiff_t>(last)};
}

std::vector<std::size_t> all_places(const std::vector<Retained>& texts) {
  std::vector<std::size_t> all(texts.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

std::vector<Sequence> as_sequences(const std::vector<Retained>& texts,
                                   const std::vector<std::size_t>& which) {
  std::vector<Sequence> sequences;
  sequences.reserve(which.size());
  for (const std::size_t i : which) sequences.push_back({texts[i].prompt, {texts[i].answer}});
  return sequences;
}

}  // namespace

std::vector<std::size_t> spread_places(std::size_t size, std::size_t count) {
  const std::size_t taken = std::min(size, count);
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < taken; ++i) places.push_back(i * size / taken);
  return places;
}

void cut_answer(Tokens& answer, std::int64_t limit) {
  const auto most = static_cast<std::size_t>(limit);
  if (limit > 0 && answer.size() > most) answer.resize(most);
}

Result<std::vector<double>> answer_logprobs(const Transformer& model, const Adaptation& adaptation,
                                            const std::vector<Sequence>& sequences,
                                            const CancelFlag* cancel, const ProgressFn& progress) {
  torch::NoGradGuard frozen;
  std::vector<double> sums;
  LLMPATCH_TRY(for_batches(sequences, cancel, progress, [&](std::size_t first, std::size_t last) {
    const Layout layout = pack(slice(sequences, first, last), adaptation.prefix_rows());
    const torch::Tensor hidden = run_batch(model, adaptation, layout);
    const torch::Tensor tokens =
        token_logprobs(hidden.index_select(0, layout.predict_rows), model.output(), layout.targets);
    const torch::Tensor batch =
        sum_by_answer(tokens.to(torch::kDouble), layout.answer_ids, layout.answers);
    for (std::int64_t i = 0; i < batch.size(0); ++i) sums.push_back(batch[i].item<double>());
  }));
  return sums;
}

Status fill_base_hidden(const Transformer& model, std::vector<Retained>& texts,
                        const CancelFlag* cancel, const ProgressFn& progress) {
  return fill_base_hidden(model, texts, all_places(texts), cancel, progress);
}

Status fill_base_hidden(const Transformer& model, std::vector<Retained>& texts,
                        const std::vector<std::size_t>& which, const CancelFlag* cancel,
                        const ProgressFn& progress) {
  torch::NoGradGuard frozen;
  const auto sequences = as_sequences(texts, which);
  return for_batches(sequences, cancel, progress, [&](std::size_t first, std::size_t last) {
    const Layout layout = pack(slice(sequences, first, last), 0);
    const torch::Tensor hidden = run_batch(model, {}, layout).index_select(0, layout.predict_rows);
    std::int64_t row = 0;
    for (std::size_t i = first; i < last; ++i) {
      Retained& text = texts[which[i]];
      const auto count = static_cast<std::int64_t>(text.answer.size());
      text.hidden = hidden.narrow(0, row, count).clone();
      row += count;
    }
  });
}

Result<double> mean_divergence(const Transformer& model, const Adaptation& adaptation,
                               const std::vector<Retained>& texts, const CancelFlag* cancel) {
  torch::NoGradGuard frozen;
  double sum = 0;
  const auto sequences = as_sequences(texts, all_places(texts));
  LLMPATCH_TRY(for_batches(sequences, cancel, {}, [&](std::size_t first, std::size_t last) {
    const Layout layout = pack(slice(sequences, first, last), adaptation.prefix_rows());
    const torch::Tensor hidden =
        run_batch(model, adaptation, layout).index_select(0, layout.predict_rows);
    std::int64_t row = 0;
    for (std::size_t i = first; i < last; ++i) {
      const auto count = texts[i].hidden.size(0);
      sum += token_divergence(texts[i].hidden, hidden.narrow(0, row, count), model.output())
                 .mean()
                 .item<double>();
      row += count;
    }
  }));
  return texts.empty() ? 0 : sum / static_cast<double>(texts.size());
}

}  // namespace llmpatch
