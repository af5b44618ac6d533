#include "eval/answer_divergence.h"

#include <algorithm>

#include "eval/divergence.h"

namespace llmpatch {
namespace {

// Room for the writer's logits while the other's are compared with them.
constexpr std::size_t kLogitBytes = std::size_t{128} << 20;

class DivergenceMeter {
 public:
  DivergenceMeter(Engine& writer, Engine& other, const CancelFlag* cancel)
      : writer_(writer), other_(other), cancel_(cancel), n_vocab_(writer.model().n_vocab()) {}

  // How many of `requests` fit the room for logits; at least one.
  std::size_t batch_size(std::span<const ScoreRequest> requests) const {
    const std::size_t room = kLogitBytes / (n_vocab_ * sizeof(float));
    std::size_t positions = 0, count = 0;
    for (const auto& request : requests) {
      positions += request.continuation.size();
      if (count > 0 && positions > room) break;
      ++count;
    }
    return count;
  }

  Status measure(std::span<const ScoreRequest> of_writer, std::span<const ScoreRequest> of_other,
                 std::span<AnswerDivergence> divergences) {
    LLMPATCH_TRY(keep_logits(of_writer, divergences));
    return other_.logits(
        of_other,
        [&](std::size_t request, std::size_t position, std::span<const float> logits) {
          const std::span<const float> kept(
              logits_.data() + (offsets_[request] + position) * n_vocab_, n_vocab_);
          divergences[request].kl.push_back(kl_divergence(kept, logits));
        },
        cancel_);
  }

 private:
  Status keep_logits(std::span<const ScoreRequest> batch, std::span<AnswerDivergence> divergences) {
    offsets_.assign(1, 0);
    for (const auto& request : batch) {
      offsets_.push_back(offsets_.back() + request.continuation.size());
    }
    logits_.resize(offsets_.back() * n_vocab_);
    return writer_.logits(
        batch,
        [&](std::size_t request, std::size_t position, std::span<const float> logits) {
          const auto token = static_cast<std::size_t>(batch[request].continuation[position]);
          divergences[request].log_prob += logits[token] - log_sum_exp(logits);
          std::copy(logits.begin(), logits.end(),
                    logits_.begin() +
                        static_cast<std::ptrdiff_t>((offsets_[request] + position) * n_vocab_));
        },
        cancel_);
  }

  Engine& writer_;
  Engine& other_;
  const CancelFlag* cancel_;
  std::size_t n_vocab_;
  std::vector<std::size_t> offsets_;  // of each request of the batch, in positions
  std::vector<float> logits_;         // [positions, n_vocab]
};

}  // namespace

Result<std::vector<AnswerDivergence>> measure_divergence(std::span<const ScoreRequest> of_writer,
                                                         std::span<const ScoreRequest> of_other,
                                                         Engine& writer, Engine& other,
                                                         const CancelFlag* cancel,
                                                         const ProgressFn& progress) {
  std::vector<AnswerDivergence> divergences(of_writer.size());
  DivergenceMeter meter(writer, other, cancel);
  for (std::size_t first = 0; first < of_writer.size();) {
    const std::size_t count = meter.batch_size(of_writer.subspan(first));
    LLMPATCH_TRY(meter.measure(of_writer.subspan(first, count), of_other.subspan(first, count),
                               std::span(divergences).subspan(first)));
    first += count;
    if (progress) progress(first, of_writer.size(), "");
  }
  return divergences;
}

Tokens continuation_of(const Model& model, const Answer& answer) {
  Tokens tokens = answer.tokens;
  if (answer.ended) tokens.push_back(model.end_token());
  return tokens;
}

}  // namespace llmpatch
