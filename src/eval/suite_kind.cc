#include "eval/suite_kind.h"

#include <array>

#include "eval/drift.h"
#include "eval/gender.h"
#include "eval/generation.h"
#include "eval/jailbreak.h"
#include "eval/long_prompt.h"
#include "eval/multiple_choice.h"
#include "eval/text_perplexity.h"

namespace llmpatch {
namespace {

Result<SuiteCost> no_cost(const PlannedSuite&, const EvalOptions&) { return SuiteCost{}; }

constexpr std::array<SuiteKind, 8> kKinds{{
    {"refusal", read_suite_prompts, no_cost, nullptr},
    {"generation", read_suite_prompts, generation_cost, measure_generation},
    {"gender", read_suite_prompts, gender_cost, measure_gender},
    {"jailbreak", read_suite_prompts, jailbreak_cost, measure_jailbreak},
    {"long-prompt", read_suite_prompts, long_prompt_cost, measure_long_prompt},
    {"multiple-choice", read_choice_items, multiple_choice_cost, measure_multiple_choice},
    {"perplexity", read_text, text_perplexity_cost, measure_text_perplexity},
    {"drift", read_suite_prompts, drift_cost, measure_drift},
}};

}  // namespace

Result<const SuiteKind*> find_suite_kind(std::string_view name) {
  std::string known;
  for (const SuiteKind& kind : kKinds) {
    if (kind.name == name) return &kind;
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  }
  return make_error(ErrorKind::kNotFound, "suite",
                    "kind: found '" + std::string(name) + "', expected one of: " + known);
}

}  // namespace llmpatch
