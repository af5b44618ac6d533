#include "eval/timing.h"

#include <array>
#include <chrono>

#include "eval/answers.h"

namespace llmpatch {
namespace {

struct Measurement {
  double first_token = 0;        // seconds
  double tokens_per_second = 0;  // after the first token; 0 when there was no second
};

Result<Measurement> measure(EvalRun& run, const GenerateRequest& request) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  LLMPATCH_ASSIGN(const auto completions, run.engine.generate(std::span(&request, 1), run.cancel));
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const Completion& completion = completions.front();
  Measurement measurement;
  measurement.first_token = completion.first_token_seconds;
  const double rest = seconds - completion.first_token_seconds;
  if (completion.tokens.size() > 1 && rest > 0) {
    measurement.tokens_per_second = static_cast<double>(completion.tokens.size() - 1) / rest;
  }
  return measurement;
}

// Both sides of one quantity, pair by pair.
struct Pairs {
  std::vector<double> base, patched, ratio;

  void add(double of_base, double of_patched) {
    if (of_base <= 0 || of_patched <= 0) return;  // an answer too short to have a rate
    base.push_back(of_base);
    patched.push_back(of_patched);
    ratio.push_back(of_patched / of_base);
  }
};

}  // namespace

Result<Timing> measure_timing(EvalRun& run, std::span<const SuitePrompt> prompts) {
  constexpr std::size_t kBase = 0, kPatched = 1;
  Pairs first_token, rate;
  const ProgressFn phase = run.progress.phase("timing");
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    std::array<GenerateRequest, 2> requests;
    LLMPATCH_ASSIGN(requests[kBase].prompt, encode_for(run, prompts[i], System::kBase));
    requests[kBase].max_tokens = kTimingTokens;
    requests[kPatched] = requests[kBase];
    requests[kPatched].stack = run.patched;
    if (i == 0) {
      for (const auto& request : requests) LLMPATCH_TRY(measure(run, request));
    }
    for (std::size_t round = 0; round < kTimingRounds; ++round) {
      std::array<Measurement, 2> measured;
      const std::size_t leader = round % 2;
      for (const std::size_t side : {leader, 1 - leader}) {
        LLMPATCH_ASSIGN(measured[side], measure(run, requests[side]));
      }
      first_token.add(measured[kBase].first_token, measured[kPatched].first_token);
      rate.add(measured[kBase].tokens_per_second, measured[kPatched].tokens_per_second);
    }
    if (phase) phase(i + 1, prompts.size(), "");
  }
  run.progress.end_phase(prompts.size());

  const std::uint64_t seed = run.options.seed;
  Timing timing;
  timing.prompts = prompts.size();
  timing.rounds = kTimingRounds;
  timing.first_token_base = bootstrap_geometric_mean(first_token.base, seed);
  timing.first_token_patched = bootstrap_geometric_mean(first_token.patched, seed);
  timing.first_token_ratio = bootstrap_geometric_mean(first_token.ratio, seed);
  timing.tokens_per_second_base = bootstrap_geometric_mean(rate.base, seed);
  timing.tokens_per_second_patched = bootstrap_geometric_mean(rate.patched, seed);
  timing.tokens_per_second_ratio = bootstrap_geometric_mean(rate.ratio, seed);
  return timing;
}

}  // namespace llmpatch
