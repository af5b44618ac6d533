// Log-probabilities of answers under DPO's reference when that is a teacher.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/result.h"
#include "learn/preferences.h"
#include "learn/transformer.h"
#include "runtime/engine.h"

namespace llmpatch {

// The tokens of an answer to be learned: its text, and the model's end token when it is complete.
Result<Tokens> encode_answer(const Model& model, const std::string& text, bool complete);

// The safer model. With a `file` of its own it is loaded when it is asked; otherwise it is the base
// model, `base`, under `system`.
struct Teacher {
  const Model& model;  // tokenizer and template: the teacher's own, or the base model's
  const Transformer& base;
  std::filesystem::path file;  // empty: the base model's weights
  std::string system;
  Arithmetic arithmetic = Arithmetic::kF32;
  EngineOptions engine;
};

// Chosen and rejected log-probability of every preference in turn, summed over the first `limit`
// tokens (0: all). Computed by
// learning's own forward pass; by the Engine, whose quantised arithmetic differs, only when the
// teacher's architecture cannot be learned on, and then `used_engine` is set.
Result<std::vector<double>> teacher_logprobs(const Teacher& teacher,
                                             const std::vector<Preference>& preferences, int limit,
                                             bool& used_engine, const CancelFlag* cancel,
                                             const ProgressFn& progress);

}  // namespace llmpatch
