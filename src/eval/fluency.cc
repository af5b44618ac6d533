#include "eval/fluency.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "base/ascii.h"
#include "eval/answers.h"
#include "judge/degenerate.h"

namespace llmpatch {
namespace {

using Trigrams = std::set<std::array<std::string, 3>>;

Trigrams trigrams_of(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  std::vector<std::string> words;
  for (std::size_t at = text.find_first_not_of(kSpace); at != text.npos;) {
    const std::size_t end = std::min(text.find_first_of(kSpace, at), text.size());
    words.push_back(ascii_lower(text.substr(at, end - at)));
    at = text.find_first_not_of(kSpace, end);
  }
  Trigrams trigrams;
  for (std::size_t i = 0; i + 2 < words.size(); ++i) {
    trigrams.insert({words[i], words[i + 1], words[i + 2]});
  }
  return trigrams;
}

double jaccard(const Trigrams& a, const Trigrams& b) {
  const auto shared = static_cast<double>(
      std::ranges::count_if(a, [&](const auto& trigram) { return b.contains(trigram); }));
  const double all = static_cast<double>(a.size() + b.size()) - shared;
  return all == 0 ? 0 : shared / all;
}

// The mean of `value` over a prompt's answers.
template <class Value>
double mean_of(std::span<const Answer> answers, const Value& value) {
  double sum = 0;
  for (const Answer& answer : answers) sum += value(answer);
  return sum / static_cast<double>(answers.size());
}

}  // namespace

double trigram_overlap(std::span<const std::string> texts) {
  std::vector<Trigrams> sets;
  for (const std::string& text : texts) sets.push_back(trigrams_of(text));
  double sum = 0;
  std::size_t pairs = 0;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (std::size_t j = i + 1; j < sets.size(); ++j, ++pairs) sum += jaccard(sets[i], sets[j]);
  }
  return pairs == 0 ? 0 : sum / static_cast<double>(pairs);
}

std::vector<Metric> text_fluency(std::span<const Answer> answers, std::size_t samples,
                                 const std::string& tag) {
  Metric degenerate{"degenerate@" + tag, Scale::kRate, {}};
  Metric tokens{"tokens@" + tag, Scale::kMean, {}};
  Metric repetition{"trigram_repetition@" + tag, Scale::kMean, {}};
  Metric overlap{"trigram_overlap@" + tag, Scale::kMean, {}};
  for (std::size_t first = 0; first < answers.size(); first += samples) {
    const std::span<const Answer> own = answers.subspan(first, samples);
    degenerate.values.push_back(mean_of(
        own, [](const Answer& a) { return a.degeneration == Degeneration::kNone ? 0.0 : 1.0; }));
    tokens.values.push_back(
        mean_of(own, [](const Answer& a) { return static_cast<double>(a.tokens.size()); }));
    repetition.values.push_back(
        mean_of(own, [](const Answer& a) { return trigram_repetition(a.text); }));
    std::vector<std::string> texts;
    for (const Answer& answer : own) texts.push_back(answer.text);
    overlap.values.push_back(trigram_overlap(texts));
  }
  std::vector<Metric> metrics{std::move(degenerate), std::move(tokens), std::move(repetition)};
  if (samples > 1) metrics.push_back(std::move(overlap));
  return metrics;
}

Result<Metric> perplexity_of(EvalRun& run, std::span<const SuitePrompt> prompts,
                             std::span<const Answer> answers, std::size_t samples,
                             const System& writer, const System& scorer, const std::string& tag) {
  const Model& model = run.model_of(scorer);
  const bool own_tokens = &model == &run.model_of(writer);  // another's vocabulary may differ
  std::vector<ScoreRequest> requests;
  std::vector<std::size_t> prompt_of;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    LLMPATCH_ASSIGN(const Tokens prompt, encode_for(run, prompts[i], scorer));
    for (std::size_t j = 0; j < std::min(samples, kPerplexityAnswers); ++j) {
      const Answer& answer = answers[i * samples + j];
      Tokens tokens = answer.tokens;
      if (!own_tokens) {
        LLMPATCH_ASSIGN(tokens, model.tokenize(answer.text, false));
      }
      if (tokens.empty()) continue;
      requests.push_back({prompt, std::move(tokens), {}});
      prompt_of.push_back(i);
    }
  }
  // The engine counts requests; the phase counts prompts.
  const ProgressFn phase = run.progress.phase("perplexity");
  const ProgressFn progress = [&](std::uint64_t done, std::uint64_t total,
                                  const std::string& note) {
    if (phase && total > 0) phase(prompts.size() * done / total, prompts.size(), note);
  };
  LLMPATCH_ASSIGN(const auto scores, run.engine_of(scorer).score(requests, run.cancel, progress));
  std::vector<double> sums(prompts.size()), counts(prompts.size());
  for (std::size_t r = 0; r < scores.size(); ++r) {
    const double sum = std::accumulate(scores[r].begin(), scores[r].end(), 0.0);
    sums[prompt_of[r]] -= sum / static_cast<double>(scores[r].size());
    counts[prompt_of[r]] += 1;
  }
  Metric metric{(scorer == System::kBase ? "perplexity_base@" : "perplexity_reference@") + tag,
                Scale::kGeometric,
                {}};
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    metric.values.push_back(counts[i] == 0 ? std::numeric_limits<double>::quiet_NaN()
                                           : std::exp(sums[i] / counts[i]));
  }
  run.progress.end_phase(prompts.size());
  return metric;
}

}  // namespace llmpatch
