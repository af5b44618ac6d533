// What a run of `learn` leaves for a joint run to take up: its pairs, its prompts, what the base
// model answered, and its judge.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "learn/prompt_list.h"
#include "learn/run_directory.h"

namespace llmpatch {

// Prompts, and the line that a file of answers has for each (generation.h).
struct AnsweredPrompts : PromptList {
  std::vector<std::string> answers;
};

struct FinishedRun {
  // What it says of itself.
  std::string patch;                              // "name@version"
  std::string risk;                               // the manifest's
  std::string base, base_name;                    // sha256 of the model file, and what it is called
  std::string judge, judge_identity;              // as make_judge() takes it, and Judge::identity()
  int validate_tokens = 0, validate_samples = 0;  // how validation prompts are answered

  // What it learned from and validated on, as it was read and split.
  PromptList pairs;  // lines of pairs.jsonl
  AnsweredPrompts retain, validate_retain;
  PromptList validate;
  std::vector<std::string> corrections;  // lines of corrections.jsonl
  int retain_tokens = 0;                 // of retained answers, at most

  // Where that was found.
  std::filesystem::path path;
  std::string pairs_digest;  // sha256 of pairs.jsonl
};

// What a joint run calls its own file with that part of a run's data: "toxicity.pairs.jsonl".
std::string file_of(const FinishedRun& run, const std::string& file);

// Leaves in a run directory what its other files do not say: settings.json gets a member `about`,
// and inputs.jsonl the prompts of `retain`, `validate` and `validate_retain`. kIo.
Status record_run(RunDirectory& run, const FinishedRun& record);

// Reads a run directory. kNotFound: no run there; kInvalidArgument: a run that is not finished, one
// that left no record, or none of a single patch; kCorrupt: files that do not fit each other.
Result<FinishedRun> read_finished_run(const std::filesystem::path& path);

}  // namespace llmpatch
