// Sums up the judged answers of systems and compares them. Pure functions. Internal to eval/.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "eval/evaluate.h"

namespace llmpatch {

// What the share of refused prompts of a suite is called: "refusal", or "over-refusal".
std::string refusal_metric(const Suite& suite);

// The figures of one system; `answers` are those of the first prompts. `seed` is the bootstrap's.
SystemResult summarise_answers(const System& system, std::span<const SuitePrompt> prompts,
                               std::vector<Answer> answers, std::uint64_t seed);

// McNemar's comparison of refusals on the prompts both answered.
Comparison compare_refusals(const SystemResult& a, const SystemResult& b);

// Every pair of `systems` that are_compared(), in order.
std::vector<Comparison> compare_all(std::span<const SystemResult> systems);

// Of every other system than base and `reference`, where these two are among `systems` and differ
// in refusals: the share of the difference that it recovers, on the prompts all three answered.
// `metric` names it.
std::vector<Recovered> recovered_refusals(std::span<const SystemResult> systems,
                                          const System& reference, const std::string& metric,
                                          std::uint64_t seed);

}  // namespace llmpatch
