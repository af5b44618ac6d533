// What is learned from and validated on, made from prompts: samples, judged pairs, retained texts.
#pragma once

#include <vector>

#include "base/result.h"
#include "judge/judge.h"
#include "learn/learn.h"
#include "learn/preferences.h"
#include "learn/run_directory.h"
#include "learn/settings.h"
#include "learn/trainer.h"
#include "learn/validator.h"
#include "runtime/engine.h"

namespace llmpatch {

// What it is made with; all of it borrowed.
struct MaterialSources {
  const LearnOptions& options;
  const LearnHooks& hooks;
  const LearnData& data;
  Engine& engine;            // of the base model
  const Model* other_model;  // the teacher's, or null: the base model under a system prompt
  const Judge& judge;
  RunDirectory& run;
};

struct Material {
  TrainingSet set;  // without the base model's hidden states
  ValidationSet validation;
  std::vector<Preference> pairs, corrections;  // set.pairs and set.corrections as text
};

// Makes everything, or takes it from the run directory where a step is done: samples.jsonl,
// teacher.jsonl, pairs.jsonl, retain.jsonl, corrections.jsonl and retain-validation.jsonl; in a
// joint run the same of every one of its runs (file_of()), beginning with what that run has of
// them. What its risks are validated with is left out. kUnmet when no pair passes the filter;
// kCancelled; and the errors of the engine, the judge and of files that were changed.
Result<Material> make_material(const MaterialSources& sources);

}  // namespace llmpatch
