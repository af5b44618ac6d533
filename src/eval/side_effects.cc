#include "eval/side_effects.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eval/answers.h"
#include "eval/divergence.h"

namespace llmpatch {
namespace {

// Room for M's logits while M+P's are compared with them.
constexpr std::size_t kLogitBytes = std::size_t{128} << 20;

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// The answer as text to be predicted, with its end where the model ended it: whether an answer
// stops is part of what may change.
Tokens continuation_of(const Model& model, const Answer& answer) {
  Tokens tokens = answer.tokens;
  if (answer.ended) tokens.push_back(model.end_token());
  return tokens;
}

Result<ScoreRequest> request_for(const EvalRun& run, const SuitePrompt& prompt,
                                 const Answer& answer) {
  ScoreRequest request;
  LLMPATCH_ASSIGN(request.prompt, encode_for(run, prompt, System::kBase));
  request.continuation = continuation_of(run.model, answer);
  return request;
}

// One answer of M under both.
struct Drift {
  std::vector<double> kl;    // position by position
  double base_log_prob = 0;  // of the whole answer under M
};

// Compares M+P with M on M's answers, a few requests at a time.
class DriftMeter {
 public:
  explicit DriftMeter(EvalRun& run) : run_(run) {}

  Result<std::vector<Drift>> measure(std::vector<ScoreRequest> requests,
                                     const ProgressFn& progress) {
    const std::size_t n_vocab = run_.model.n_vocab();
    std::vector<Drift> drifts(requests.size());
    for (std::size_t first = 0; first < requests.size();) {
      const std::size_t count = batch_size(std::span(requests).subspan(first));
      const std::span<ScoreRequest> batch = std::span(requests).subspan(first, count);
      LLMPATCH_TRY(keep_base_logits(batch, std::span(drifts).subspan(first)));
      for (auto& request : batch) request.stack = run_.patched;
      LLMPATCH_TRY(run_.engine.logits(
          batch,
          [&](std::size_t request, std::size_t position, std::span<const float> logits) {
            const std::span<const float> base(
                logits_.data() + (offsets_[request] + position) * n_vocab, n_vocab);
            drifts[first + request].kl.push_back(kl_divergence(base, logits));
          },
          run_.cancel));
      first += count;
      if (progress) progress(first, requests.size(), "");
    }
    return drifts;
  }

 private:
  // How many of `requests` fit the room for logits; at least one.
  std::size_t batch_size(std::span<const ScoreRequest> requests) const {
    const std::size_t room = kLogitBytes / (run_.model.n_vocab() * sizeof(float));
    std::size_t positions = 0, count = 0;
    for (const auto& request : requests) {
      positions += request.continuation.size();
      if (count > 0 && positions > room) break;
      ++count;
    }
    return count;
  }

  Status keep_base_logits(std::span<const ScoreRequest> batch, std::span<Drift> drifts) {
    offsets_.assign(1, 0);
    for (const auto& request : batch) {
      offsets_.push_back(offsets_.back() + request.continuation.size());
    }
    const std::size_t n_vocab = run_.model.n_vocab();
    logits_.resize(offsets_.back() * n_vocab);
    return run_.engine.logits(
        batch,
        [&](std::size_t request, std::size_t position, std::span<const float> logits) {
          const auto token = static_cast<std::size_t>(batch[request].continuation[position]);
          drifts[request].base_log_prob += logits[token] - log_sum_exp(logits);
          std::copy(logits.begin(), logits.end(),
                    logits_.begin() +
                        static_cast<std::ptrdiff_t>((offsets_[request] + position) * n_vocab));
        },
        run_.cancel);
  }

  EvalRun& run_;
  std::vector<std::size_t> offsets_;  // of each request of the batch, in positions
  std::vector<float> logits_;         // [positions, n_vocab]
};

// Perplexity per token of M+P's answers under M; empty answers are left out.
Result<std::vector<double>> patched_perplexities(EvalRun& run, std::span<const SuitePrompt> prompts,
                                                 std::span<const Answer> answers) {
  std::vector<ScoreRequest> requests;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].tokens.empty()) continue;
    LLMPATCH_ASSIGN(ScoreRequest request, request_for(run, prompts[i], answers[i]));
    requests.push_back(std::move(request));
  }
  LLMPATCH_ASSIGN(const auto scores,
                  run.engine.score(requests, run.cancel, run.progress.phase("perplexity")));
  std::vector<double> out;
  for (const auto& log_probs : scores) {
    const double sum = std::accumulate(log_probs.begin(), log_probs.end(), 0.0);
    out.push_back(std::exp(-sum / static_cast<double>(log_probs.size())));
  }
  return out;
}

}  // namespace

Result<SideEffects> measure_side_effects(EvalRun& run, std::span<const SuitePrompt> prompts,
                                         std::span<const Answer> base,
                                         std::span<const Answer> patched) {
  std::vector<ScoreRequest> requests;
  for (std::size_t i = 0; i < base.size(); ++i) {
    LLMPATCH_ASSIGN(ScoreRequest request, request_for(run, prompts[i], base[i]));
    if (!request.continuation.empty()) requests.push_back(std::move(request));
  }
  LLMPATCH_ASSIGN(const auto drifts,
                  DriftMeter(run).measure(std::move(requests), run.progress.phase("divergence")));
  run.progress.end_phase(prompts.size());
  LLMPATCH_ASSIGN(const auto patched_ppl, patched_perplexities(run, prompts, patched));
  run.progress.end_phase(prompts.size());

  std::vector<double> whole, opening, base_ppl;
  for (const auto& [kl, base_log_prob] : drifts) {
    whole.push_back(mean(kl));
    opening.push_back(mean(std::span(kl).first(std::min(kFirstTokens, kl.size()))));
    base_ppl.push_back(std::exp(-base_log_prob / static_cast<double>(kl.size())));
  }
  const std::uint64_t seed = run.options.seed;
  SideEffects effects;
  effects.kl = bootstrap_mean(whole, seed);
  effects.kl_first = bootstrap_mean(opening, seed);
  effects.perplexity_base = bootstrap_geometric_mean(base_ppl, seed);
  effects.perplexity_patched = bootstrap_geometric_mean(patched_ppl, seed);
  effects.empty_answers = patched.size() - patched_ppl.size();
  return effects;
}

}  // namespace llmpatch
