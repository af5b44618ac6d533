// The learning loop of one stage: SFT or DPO on pairs, with a retain term, validation, checkpoints.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/result.h"
#include "learn/adam.h"
#include "learn/examples.h"
#include "learn/transformer.h"

namespace llmpatch {

enum class Objective { kSft, kDpo };

struct StageOptions {
  Objective objective = Objective::kSft;
  Schedule schedule;
  std::int64_t pairs_per_step = 8;
  std::int64_t corrections_per_step = 0;
  std::int64_t retained_per_step = 32;
  // Of KL(base || patched) over a retained answer, summed over its tokens: a mean would let the
  // first token, where a refusal is decided, count for little.
  double retain_weight = 1;
  // What an answer will be is decided by its first token: its log-probability in a chosen answer
  // counts so much more (SFT), and that a benign answer begins as a chosen one costs so much.
  double first_token_weight = 0;
  double unlikelihood_weight = 0;
  double beta = 0.1;                 // DPO
  double averaging = 0.95;           // of the running mean of rows that is validated; 0: the rows
  std::int64_t evaluate_every = 10;  // steps between validations
  std::int64_t patience = 0;  // stop after so many validations without a better one; 0: never
  std::uint64_t seed = 0;
};

// What a validation found. Rates are shares of prompts; `score` ranks checkpoints (higher is
// better).
struct Validation {
  double refused = 0;       // of harmful prompts
  double over_refused = 0;  // of benign prompts
  double divergence = 0;    // KL(base || patched) per token on benign answers, nats
  double score = 0;
};

// The state a stage is resumed from, and what it ends with.
struct StageState {
  torch::Tensor rows;  // [n, width] f32
  Adam adam;
  torch::Tensor average;  // running mean of the rows: what is validated and kept
  std::int64_t step = 0;  // steps done
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
};

struct StageHooks {
  // Measures rows [n, width].
  std::function<Result<Validation>(const torch::Tensor& rows)> validate;
  // One line of metrics.jsonl: the numbers of a step.
  std::function<Status(const std::string& line)> log;
  ProgressFn progress;
  const CancelFlag* cancel = nullptr;
};

// Trains `state.rows` from `state.step` to the end of the schedule or until patience runs out,
// saving to `checkpoint` at every validation. A stage begins with `rows` alone, or with `best` of
// those rows too (best_step 0), which saves a validation. On return state.best_rows is the best
// checkpoint. kUnmet when a loss or gradient is not finite (naming the step); kCancelled; kIo.
Status train_stage(const Transformer& model, const TrainingSet& set, const StageOptions& options,
                   StageState& state, const std::filesystem::path& checkpoint,
                   const StageHooks& hooks);

}  // namespace llmpatch
