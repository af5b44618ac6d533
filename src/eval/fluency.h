// Fluency of answers, which stands beside every safety figure: a model that says nothing, or the
// same thing again and again, is safe and of no use. Internal to eval/.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/metric.h"
#include "eval/run.h"

namespace llmpatch {

// Of a prompt's answers so many, the first, are scored for perplexity: scoring costs as much as
// generating.
inline constexpr std::size_t kPerplexityAnswers = 5;

// Mean over the pairs of `texts` of |A & B| / |A | B|, A and B their sets of word trigrams
// (lower-cased words between white space); 0 for fewer than two texts. A pair without any trigram
// counts 0. High: the samples are alike.
double trigram_overlap(std::span<const std::string> texts);

// The metrics of `answers` that need no model, `samples` answers to each prompt; `tag` stands in
// their names: degenerate (kRate), tokens (mean length), trigram_repetition (within an answer) and,
// for several samples, trigram_overlap (between them).
std::vector<Metric> text_fluency(std::span<const Answer> answers, std::size_t samples,
                                 const std::string& tag);

// perplexity of the answers of `writer` to `prompts`, geometric mean over a prompt's first
// kPerplexityAnswers, under the model alone (perplexity_base) or under the reference M'
// (perplexity_reference): `scorer`. Neither sees a patch. A scorer of another model file than the
// writer's is given the answers as text. Empty answers have none.
Result<Metric> perplexity_of(EvalRun& run, std::span<const SuitePrompt> prompts,
                             std::span<const Answer> answers, std::size_t samples,
                             const System& writer, const System& scorer, const std::string& tag);

}  // namespace llmpatch
