// A guard model in GGUF as a judge, run by llmpatch itself.
#pragma once

#include <memory>
#include <span>

#include "judge/judge.h"
#include "judge/judge_file.h"
#include "runtime/model.h"

namespace llmpatch {

// The verdict that lies in the logits of an answer's first token: the share of `unsafe` in the
// probability of the two words, if one of them is the likeliest of all tokens; no verdict
// otherwise. The ids must lie within.
Verdict guard_verdict(std::span<const float> logits, Token unsafe, Token safe);

// Members of the file:
//  - `model`: the GGUF file, relative to the judge file;
//  - `family`: llama-guard-3, shieldgemma or granite-guardian, whose prompts and words are known;
//    or `custom`, any chat model that is asked `task` (a text with {prompt} and {response}) and
//    answers with the word `unsafe` or the word `safe` (members too);
//  - `policy`: the rule that ShieldGemma and Granite Guardian judge by, instead of a general one;
//  - `prompt`: `template` (the default), the model's own chat template, or `built-in`, the family's
//    prompt as published, for a file without one;
//  - `threads` (0: every core).
//
// make: kCorrupt of the file; kUnsupported: no chat template, or words that begin with the same
// token; kMismatch: another model's template; and the errors of loading the model. score(): those
// of the Engine (kLimit: an item longer than the context). Not thread-safe.
Result<std::unique_ptr<Judge>> make_guard_judge(JudgeFile& file, const JudgeOptions& options);

}  // namespace llmpatch
