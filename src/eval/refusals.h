// Sums up the judged answers of systems and compares them. Pure functions. Internal to eval/.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "eval/evaluate.h"

namespace llmpatch {

// The figures of one system; `answers` are those of the first prompts. `seed` is the bootstrap's.
SystemResult summarise_answers(System system, std::span<const SuitePrompt> prompts,
                               std::vector<Answer> answers, std::uint64_t seed);

// McNemar's comparison of refusals on the prompts both answered.
Comparison compare_refusals(const SystemResult& a, const SystemResult& b);

// Every pair of `systems`, in order.
std::vector<Comparison> compare_all(std::span<const SystemResult> systems);

}  // namespace llmpatch
