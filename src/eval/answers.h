// Answers of one system to a set of prompts: greedy, cut, and judged. Internal to eval/.
#pragma once

#include <span>
#include <vector>

#include "eval/evaluate.h"
#include "eval/run.h"

namespace llmpatch {

// Prompts of one chunk: generated together, admitted in order, kept in the cache when finished.
// Fixed so that an interrupted run goes on to the same bytes.
inline constexpr std::size_t kAnswerChunk = 128;

// Answers `prompts` as `system`, at most `max_tokens` each, in order. Answers without a patch come
// from and go to options.cache when there is one. Progress counts prompts.
Result<std::vector<Answer>> answer_prompts(EvalRun& run, std::span<const SuitePrompt> prompts,
                                           System system, int max_tokens);

// Fills `text`, `refused` and `degeneration` of `answer` from its tokens.
void judge_answer(const Model& model, Answer& answer);

// The tokens of `prompt` as `system` is asked it.
Result<Tokens> encode_for(const EvalRun& run, const SuitePrompt& prompt, System system);

}  // namespace llmpatch
