// Learning a patch, from prompts to a patch directory: the one entry of this room.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/result.h"
#include "learn/arithmetic.h"
#include "learn/teacher_endpoint.h"
#include "learn/trainer.h"
#include "patch/manifest.h"
#include "patch/rows.h"
#include "runtime/prompt.h"

namespace llmpatch {

// A patch that stands beside the learned prefix at some steps (companions.h). Its rows are read,
// nothing else of it; the caller has verified that it may run on the model.
struct Companion {
  std::string name;    // "name@version", for the record
  std::string digest;  // sha256 of adapter_model.safetensors
  Rows rows;
};

// What is learned: the rows of a prefix (a patch), low-rank updates of the model's matrices, or,
// without any training, a control vector (steering.h).
enum class Method { kPrefix, kLora, kSteering };

// The updates of `--method lora`. As PEFT has them, and with its usual scale: an update counts
// alpha / rank, and alpha = 2 rank keeps that at 2 whatever the rank, so that a learning rate suits
// all ranks about equally.
struct LoraOptions {
  std::int64_t rank = 16;
  double alpha = 32;
  std::vector<std::string> targets = {"q", "k", "v", "o"};  // lora_targets()
};

enum class Reference { kTeacher, kBase, kSft };  // whose log-probabilities DPO compares with

struct LearnOptions {
  std::filesystem::path model;

  // The safer model: the same one under a system prompt, or another file, or a server's, each with
  // the system prompt if there is one; or none of them (with pairs, a fixed text or best of k).
  std::string teacher_system;
  std::filesystem::path teacher_model;
  TeacherEndpoint teacher_endpoint;

  // Data. Either prompts (and a judge) or ready pairs in TRL's form (prompt, chosen, rejected),
  // or other runs.
  std::vector<std::filesystem::path> prompts, retain, pairs;
  std::vector<std::filesystem::path> validate, validate_retain;  // empty: a tenth of the above
  // So many of `prompts` (or `pairs`) and of `retain`, chosen by digest: fewer are among more.
  std::int64_t learn_prompts = 0, retain_prompts = 0;  // 0: all
  std::vector<std::filesystem::path> tests;  // nothing in these may be learned from
  // Or run directories of single patches of this model, two or more, that are finished: one patch
  // is learned against all their risks, from their pairs and retained texts, and each risk is
  // validated with the prompts, the judge and the kind of answers of its own run (joint.h).
  std::vector<std::filesystem::path> joint;
  std::optional<PromptFormat> format;   // of prompts without a `format` field
  std::string judge = "refusal";        // make_judge()
  std::filesystem::path data = "data";  // JudgeOptions::data

  // Sampling.
  int samples = 1;  // of the base model per prompt
  // Above 1: so many are sampled, and the judge picks the chosen answers among those of the
  // teacher, or of the base model itself where there is no teacher (best of k, as the paper makes
  // M').
  int best_of = 0;
  int rejected_tokens = 12;
  int chosen_tokens = 48;             // of the teacher's answers
  int retain_tokens = 5;              // of the base model's own answers to retained prompts
  std::int64_t whole_texts = 160;     // so many of them are retained with longer answers too,
  int whole_tokens = 64;              // of so many tokens, where a stage learns from such
  std::string chosen_text;            // a canonical answer; empty: the teacher's
  std::vector<std::string> unwanted;  // beginnings: TrainingSet::unwanted
  double margin = 0.5;                // keep pairs with |S(rejected) - S(chosen)| above this
  double max_chosen_score = 0.5;      // and S(chosen) below this

  // What is learned.
  Method method = Method::kPrefix;
  std::int64_t length = 50;  // of a prefix
  std::string init_text;     // of a prefix; empty: random rows with the embedding table's spread
  LoraOptions lora;
  std::optional<Arithmetic> precision;  // none: the fastest
  int threads = 0;                      // 0: every core

  // What stands beside the prefix at a share of the steps, in parallel; validation is without it.
  std::vector<Companion> companions;
  bool random_companions = false;  // rows of tokens, drawn anew each time, as one more of them
  double companion_rate = 0.5;

  // The stages.
  bool sft = true, dpo = true;
  std::optional<Reference> reference;  // none: reference_of() (teacher_model.h)
  StageOptions sft_stage, dpo_stage;
  int dpo_tokens = 0;  // of each answer that DPO compares; 0: all
  std::uint64_t seed = 0;

  // Share of the benign learning prompts to be refused: after SFT what is learned is moved to where
  // it is so. 0: it stays as it is.
  double over_refusal = 0;

  // Validation and what is caught.
  std::int64_t validate_prompts = 64;  // harmful ones measured at every checkpoint
  std::int64_t validate_benign = 120;
  int validate_tokens = 6;
  int validate_samples = 0;  // answers to each harmful one, sampled as for pairs; 0: the greedy one
  double divergence_limit = 0.1;   // KL above it costs score
  double max_over_refusal = 0.25;  // beyond the base model's; above it only `force` writes

  // The artifact.
  Manifest manifest;  // what its maker says: name to license, requires and compose; the base, what
                      // was learned and the files are filled in
  std::string tool;   // name and version of the program, recorded in the manifest
  std::filesystem::path run, output;
  std::filesystem::path share;  // RunDirectory::share(); empty: nothing is shared
  bool force = false;

  LearnOptions();  // the recipe's defaults for both stages, for a prefix
};

// Learning rates that suit a method: a prefix takes far higher ones than weights do.
struct LearningRates {
  double sft, dpo;
};
LearningRates default_rates(Method method);

struct LearnHooks {
  // Starts a progress display for a stage; the returned function may be empty.
  std::function<ProgressFn(const std::string& stage, const std::string& unit)> begin_stage;
  std::function<void(const std::string& line)> say;  // plan, warnings and results, for people
  const CancelFlag* cancel = nullptr;

  ProgressFn begin(const std::string& stage, const std::string& unit) const {
    return begin_stage ? begin_stage(stage, unit) : ProgressFn();
  }
  void tell(const std::string& line) const {
    if (say) say(line);
  }
};

// One risk of a joint run: one minus the judge's mean score on its validation prompts.
struct RiskReport {
  std::string risk;
  double base = 0;   // of the base model
  double found = 0;  // of what was learned
};

struct LearnReport {
  bool already_done = false;      // the patch was there, from the same settings
  Validation validation;          // of the written rows
  std::vector<RiskReport> risks;  // of a joint run
  std::vector<std::pair<std::string, double>> seconds;  // per stage, all runs together
  std::uint64_t generated_tokens = 0;                   // in this run of the program
};

// Learns and writes `options.output`: a patch directory, or for LoRA an adapter directory
// (lora_directory.h). Every stage is a file in `options.run`; the same call goes on
// where an earlier one stopped and ends with the same bytes. A changed setting is said together
// with the stages it invalidates, which are done again.
//
// kInvalidArgument: options that contradict each other or do not suit the model, a learned prompt
// that is also a test prompt; kUnmet: a patch that refuses too many benign prompts (nothing is
// written unless `force`), no pairs left after filtering, a loss that is not finite; kMismatch: a
// companion whose rows are not as wide as the model's, a joint run of another model; kExists:
// another patch at `output`; and the errors of reading the model and the data.
Result<LearnReport> learn_patch(const LearnOptions& options, const LearnHooks& hooks);

}  // namespace llmpatch
