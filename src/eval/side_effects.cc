#include "eval/side_effects.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eval/answer_divergence.h"
#include "eval/answers.h"

namespace llmpatch {
namespace {

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Result<ScoreRequest> request_for(const EvalRun& run, const SuitePrompt& prompt,
                                 const Answer& answer) {
  ScoreRequest request;
  LLMPATCH_ASSIGN(request.prompt, encode_for(run, prompt, System::kBase));
  request.continuation = continuation_of(run.model, answer);
  return request;
}

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
  std::vector<ScoreRequest> behind_patch = requests;
  for (auto& request : behind_patch) request.stack = run.patched;
  LLMPATCH_ASSIGN(const auto divergences,
                  measure_divergence(requests, behind_patch, run.engine, run.engine, run.cancel,
                                     run.progress.phase("divergence")));
  run.progress.end_phase(prompts.size());
  LLMPATCH_ASSIGN(const auto patched_ppl, patched_perplexities(run, prompts, patched));
  run.progress.end_phase(prompts.size());

  std::vector<double> whole, opening, base_ppl;
  for (const auto& [kl, base_log_prob] : divergences) {
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
