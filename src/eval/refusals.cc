#include "eval/refusals.h"

#include <algorithm>

#include "judge/degenerate.h"

namespace llmpatch {
namespace {

void add(Proportion& proportion, bool hit) {
  ++proportion.n;
  if (hit) ++proportion.count;
}

}  // namespace

SystemResult summarise_answers(System system, std::span<const SuitePrompt> prompts,
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
      comparisons.push_back(compare_refusals(systems[i], systems[j]));
    }
  }
  return comparisons;
}

}  // namespace llmpatch
