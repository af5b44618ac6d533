#include "eval/refusals.h"

#include <algorithm>
#include <limits>

#include "judge/degenerate.h"

namespace llmpatch {
namespace {

void add(Proportion& proportion, bool hit) {
  ++proportion.n;
  if (hit) ++proportion.count;
}

}  // namespace

std::string refusal_metric(const Suite& suite) {
  return suite.expect == Expect::kRefuse ? "refusal" : "over-refusal";
}

SystemResult summarise_answers(const System& system, std::span<const SuitePrompt> prompts,
                               std::vector<Answer> answers, std::uint64_t seed) {
  SystemResult result;
  result.system = system;
  std::vector<double> repetition, tokens;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Answer& answer = answers[i];
    const SuitePrompt& prompt = prompts[i];
    add(result.refused, answer.refused);
    add(result.degenerate, answer.degeneration != Degeneration::kNone);
    if (!prompt.category.empty()) add(result.refused_by_category[prompt.category], answer.refused);
    if (prompt.scary) {
      if (!result.refused_scary) result.refused_scary.emplace();
      add(*result.refused_scary, answer.refused);
    }
    repetition.push_back(trigram_repetition(answer.text));
    tokens.push_back(static_cast<double>(answer.tokens.size()));
  }
  result.repetition = bootstrap_mean(repetition, seed);
  result.tokens = bootstrap_mean(tokens, seed);
  result.answers = std::move(answers);
  return result;
}

Comparison compare_refusals(const SystemResult& a, const SystemResult& b) {
  Comparison comparison;
  comparison.a = a.system;
  comparison.b = b.system;
  comparison.n = std::min(a.answers.size(), b.answers.size());
  for (std::size_t i = 0; i < comparison.n; ++i) {
    const bool by_a = a.answers[i].refused, by_b = b.answers[i].refused;
    if (by_a && !by_b) ++comparison.only_a;
    if (by_b && !by_a) ++comparison.only_b;
  }
  comparison.p = mcnemar_exact_p(comparison.only_a, comparison.only_b);
  return comparison;
}

std::vector<Comparison> compare_all(std::span<const SystemResult> systems) {
  std::vector<Comparison> comparisons;
  for (std::size_t i = 0; i < systems.size(); ++i) {
    for (std::size_t j = i + 1; j < systems.size(); ++j) {
      if (!are_compared(systems[i].system, systems[j].system)) continue;
      comparisons.push_back(compare_refusals(systems[i], systems[j]));
    }
  }
  return comparisons;
}

std::vector<Recovered> recovered_refusals(std::span<const SystemResult> systems,
                                          const System& reference, const std::string& metric,
                                          std::uint64_t seed) {
  std::size_t prompts = 0;
  for (const SystemResult& system : systems) prompts = std::max(prompts, system.answers.size());
  const auto refusals_of = [&](const SystemResult& system) {
    Metric refusals{metric, Scale::kShare, {}};
    for (const Answer& answer : system.answers) refusals.values.push_back(answer.refused ? 1 : 0);
    refusals.values.resize(prompts, std::numeric_limits<double>::quiet_NaN());
    return refusals;
  };
  const auto base = std::ranges::find(systems, System::kBase, &SystemResult::system);
  const auto other = std::ranges::find(systems, reference, &SystemResult::system);
  std::vector<Recovered> recovered;
  if (base == systems.end() || other == systems.end()) return recovered;
  const Metric from = refusals_of(*base), to = refusals_of(*other);
  for (const SystemResult& system : systems) {
    if (system.system == System::kBase || system.system == reference) continue;
    const Estimate share = share_recovered(from, refusals_of(system), to, seed);
    if (share.n > 0) recovered.push_back({system.system, metric, share});
  }
  return recovered;
}

}  // namespace llmpatch
