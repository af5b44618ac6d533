// The prompts that a run learns from, keeps and is validated on.
#pragma once

#include <vector>

#include "base/result.h"
#include "learn/finished_run.h"
#include "learn/learn.h"
#include "runtime/model.h"
#include "runtime/prompt.h"

namespace llmpatch {

// The prompts a run works on, read and split, and digests of them.
struct LearnData {
  std::vector<Prompt> prompts, retain, validate, validate_retain;
  std::vector<PromptFormat> prompt_formats, retain_formats, validate_formats,
      validate_retain_formats;
  // Of a joint run: where it all comes from, in this order. `prompts` are the lines of their pairs.
  std::vector<FinishedRun> runs;
};

// Reads all files, splits off validation prompts where none are given (a tenth, chosen by the
// digest of the prompt), and refuses data that overlaps a test file. Formats: a line's own
// `format`, else options.format, else the model's default.
Result<LearnData> read_learn_data(const LearnOptions& options, const Model& model);

}  // namespace llmpatch
