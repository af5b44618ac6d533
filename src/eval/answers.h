// Answers of one system to a set of prompts: decoded, cut, and judged. Internal to eval/.
#pragma once

#include <span>
#include <vector>

#include "eval/evaluate.h"
#include "eval/run.h"

namespace llmpatch {

// Answers of one chunk (of whole prompts, at least one): generated together, admitted in order,
// kept in the cache when finished. Fixed so that an interrupted run goes on to the same bytes.
inline constexpr std::size_t kAnswerChunk = 128;

// Answers `prompts` as `system`, decoding.samples answers to each, prompt by prompt. Samples are
// drawn under options.seed, keyed by prompt and index: every system sees the same random numbers.
// Finished answers come from and go to options.cache when there is one. Progress counts prompts.
Result<std::vector<Answer>> answer_prompts(EvalRun& run, std::span<const SuitePrompt> prompts,
                                           const System& system, const Decoding& decoding);
// Greedy ones of at most `max_tokens`.
Result<std::vector<Answer>> answer_prompts(EvalRun& run, std::span<const SuitePrompt> prompts,
                                           const System& system, int max_tokens);

// Fills `text`, `refused` and `degeneration` of `answer` from its tokens.
void judge_answer(const Model& model, Answer& answer);

// The tokens of `prompt` as `system` is asked it, with the beginning of the answer that it fixes.
Result<Tokens> encode_for(const EvalRun& run, const SuitePrompt& prompt, const System& system);

}  // namespace llmpatch
