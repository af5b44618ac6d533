// The learning loop of one stage: SFT or DPO on pairs, with a retain term, validation, checkpoints.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/result.h"
#include "learn/adam.h"
#include "learn/companions.h"
#include "learn/examples.h"
#include "learn/stage_options.h"
#include "learn/transformer.h"

namespace llmpatch {

// What a validation found. Rates are shares of prompts; `score` ranks checkpoints (higher is
// better).
struct Validation {
  double refused = 0;       // of harmful prompts
  double over_refused = 0;  // of benign prompts
  double divergence = 0;    // KL(base || patched) per token on benign answers, nats
  double score = 0;
  std::vector<double> risks = {};  // of a joint run: `refused` of each risk, which is their mean
};

// What is known of the examples of each kind: ImportanceSampler::state(), or undefined.
struct SamplingState {
  torch::Tensor pairs, corrections, retained;
};

// The state a stage is resumed from, and what it ends with.
struct StageState {
  torch::Tensor rows;  // what is learned, [n, m] f32: a prefix's rows as they are
  Adam adam;
  torch::Tensor average;  // running mean of the rows: what is validated and kept
  std::int64_t step = 0;  // steps done
  SamplingState sampling;
  torch::Tensor best_rows;
  Validation best;
  std::int64_t best_step = -1;
  std::int64_t validations_since_best = 0;
};

// Saved whole and atomically; kCorrupt when a saved one does not parse.
Status save_state(const StageState& state, const std::filesystem::path& path);
Result<StageState> load_state(const std::filesystem::path& path);

// What a stage draws from; every kind in an order of its own.
struct TrainingSet {
  std::vector<Pair> pairs;        // harmful prompts: the refusal is chosen
  std::vector<Pair> corrections;  // benign prompts that the base model refuses: an answer is chosen
  std::vector<Retained> retained;  // benign texts whose distribution should stay
  std::vector<Retained> whole;     // some of them with longer answers
  // How answers to benign prompts should not begin, beside the ways that the pairs and corrections
  // show. Counts with StageOptions::unlikelihood_weight.
  std::vector<Tokens> unwanted;
  Companions companions;  // prefixes that stand beside the learned one at some steps
  // Of a joint run: its risks, and how many of the pairs, retained texts and whole ones, which
  // stand in the risks' order, are each one's. Every step draws as many of all (BalancedSampler).
  // None: all are of one risk.
  std::vector<std::string> risks;
  std::vector<std::size_t> risk_pairs, risk_retained, risk_whole;
};

// Which examples of a set a whole stage may draw: places in its lists, rising.
struct StageDraws {
  std::vector<std::size_t> pairs, corrections, retained;
};
StageDraws draws_of_stage(const StageOptions& options, const TrainingSet& set);

struct StageHooks {
  // What rows become; by default the prefix that they are.
  AdaptFn adapt = [](const torch::Tensor& rows) { return Adaptation(rows); };
  // Measures rows.
  std::function<Result<Validation>(const torch::Tensor& rows)> validate;
  // One line of metrics.jsonl: the numbers of a step.
  std::function<Status(const std::string& line)> log;
  ProgressFn progress;
  const CancelFlag* cancel = nullptr;
};

// Trains `state.rows`, on examples whose hidden states (and for DPO reference log-probabilities)
// are known where the stage draws them, from `state.step` to the end of the schedule or until
// patience runs out, saving to `checkpoint` at every validation. A stage begins with `rows` alone,
// or with `best` of those rows too (best_step 0), which saves a validation. On return
// state.best_rows is the best checkpoint. kUnmet when a loss or gradient is not finite (naming the
// step); kCancelled; kIo.
Status train_stage(const Transformer& model, const TrainingSet& set, const StageOptions& options,
                   StageState& state, const std::filesystem::path& checkpoint,
                   const StageHooks& hooks);

}  // namespace llmpatch
