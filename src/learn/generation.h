// The stages that generate: samples of the base model and answers of the teacher, in fixed chunks,
// a finished chunk being the unit of resume.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/result.h"
#include "learn/answer_file.h"
#include "runtime/engine.h"
#include "runtime/prompt.h"

namespace llmpatch {

struct AnswerSettings {
  int samples = 1;
  int max_tokens = 64;
  Sampling sampling;   // `sample` is counted up
  std::string system;  // a system message, empty for none
};

// Answers every prompt and appends {"prompt_digest", "responses", "complete"} lines to `file`, one
// a prompt (one given twice is answered once). Lines already there are taken as done: the same call
// after a kill goes on with the next chunk, and a cut last chunk is generated again. Returns all
// answers, in order of prompts.
Result<std::vector<Answers>> generate_answers(Engine& engine, const std::vector<Prompt>& prompts,
                                              const std::vector<PromptFormat>& formats,
                                              const AnswerSettings& settings,
                                              const std::filesystem::path& file,
                                              const CancelFlag* cancel, const ProgressFn& progress);

}  // namespace llmpatch
