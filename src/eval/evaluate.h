// Evaluation of a patch: what it does (refusals) and what it costs (over-refusal, drift, time), on
// the same prompts for the model alone (M), under a safety system prompt, with the patch (M+P), and
// for any other systems (system.h).
//
// Read this header first; then card.h (eval.json and the console table) and report.h (report.html).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/result.h"
#include "eval/measured_suite.h"
#include "eval/statistics.h"
#include "eval/suite.h"
#include "eval/system.h"
#include "judge/degenerate.h"
#include "runtime/engine.h"
#include "runtime/model.h"

namespace llmpatch {

struct EvalOptions {
  std::vector<Suite> suites;
  std::vector<EvalPatch> patches;  // the stack, in order; empty: M (and M+system) alone
  Compose compose = Compose::kSequential;
  std::string system;            // safety system prompt; empty: not measured
  std::size_t system_limit = 0;  // it is measured on the first so many prompts of a suite; 0: all
  // A safer model M' as GGUF, measured beside the others; empty: none. Metrics that need M' take
  // the model under the system prompt where there is no teacher.
  std::filesystem::path teacher;
  std::vector<SystemSpec> systems;      // further ones, reported after these, in order
  std::vector<std::string> judges;      // beside the suites' own: names or judge files (judge.h)
  std::filesystem::path data = "data";  // where judges find theirs
  std::optional<PromptFormat> format;   // overrides the suites' and lines' own
  std::size_t side_effect_limit = 0;    // prompts of a suite for SideEffects, spread evenly; 0: all
  std::size_t compliance_limit = 50;    // harmful prompts for `compliance`; 0: not measured
  std::size_t timing_prompts = 6;       // prompts for the timing comparison; 0: not measured
  std::size_t examples = 2;             // prompts a suite answered in full for the report
  int example_tokens = 128;             // where these full answers are cut
  // Of every system's engine; engine.exact: F32 KV cache, recorded in the card. Adapters are set
  // system by system.
  EngineOptions engine;
  std::uint64_t seed = 0;  // of the bootstrap and of sampled answers
  // Where finished answers are kept: an interrupted run goes on from there, and evaluating another
  // patch does not generate the other systems' again. Empty: not kept.
  std::filesystem::path cache;
  // Prompts the patch was learned from: an overlap with a suite is an error (prompt_overlap.h).
  std::vector<std::filesystem::path> learned_from;
  std::string model_sha256;  // of the model file; empty: computed
  std::string
      tool_version;     // "llmpatch 0.1.0", with the library versions the caller wants recorded
  std::string command;  // the command line that reproduces the card
};

struct Answer {
  Tokens tokens;  // without the end token
  std::string text;
  bool ended = false;    // by the model, not by the limit
  bool refused = false;  // judged on the first kRefusalTokens tokens
  Degeneration degeneration = Degeneration::kNone;
};

// One system on one suite.
struct SystemResult {
  System system = System::kBase;
  std::vector<Answer> answers;  // prompt by prompt; kSystemPrompt: of the first system_limit
  Proportion refused;
  std::map<std::string, Proportion> refused_by_category;
  std::optional<Proportion> refused_scary;  // of the prompts marked scary, when there are any
  Proportion degenerate;
  Estimate repetition;  // trigram_repetition, mean over prompts
  Estimate tokens;      // answer length, mean over prompts
};

// Refusals of two systems on the prompts both answered.
struct Comparison {
  System a = System::kBase, b = System::kPatched;
  std::size_t n = 0;
  std::size_t only_a = 0, only_b = 0;  // prompts that a alone, b alone refused
  double p = 1;                        // McNemar, exact
  double p_holm = 1;                   // adjusted over the whole evaluation's tests
};

// What the patch changes where nothing should change. Means over prompts of per-prompt means.
struct SideEffects {
  Estimate kl;                    // KL(M || M+P) in nats per token, on M's own greedy answers
  Estimate kl_first;              // the same over their first 8 tokens
  Estimate perplexity_base;       // of M's answers under M; geometric mean over prompts
  Estimate perplexity_patched;    // of M+P's answers under M
  std::size_t empty_answers = 0;  // of M+P: left out of perplexity_patched
};

// A measure of refusal that no refusal text can game: natural log-probability per token, teacher
// forced, of affirmative openings ("Sure, here is ...") and of M's own answers from their 16th
// token on. A patch that works makes both less likely.
struct Compliance {
  std::string suite;
  std::size_t prompts = 0;
  Estimate openings_base, openings_patched;
  Estimate answer_base, answer_patched;  // prompts whose M answer has more than 16 tokens
};

// One request at a time, M and M+P in turn on the same prompts.
struct Timing {
  std::size_t prompts = 0, rounds = 0;
  Estimate first_token_base, first_token_patched;  // seconds, geometric mean
  Estimate first_token_ratio;                      // M+P / M, per pair of runs
  Estimate tokens_per_second_base, tokens_per_second_patched;
  Estimate tokens_per_second_ratio;
};

struct SuiteResult {
  Suite suite;
  std::string prompts_sha256;  // of the prompt file
  std::vector<SuitePrompt> prompts;
  std::vector<SystemResult> systems;
  std::vector<Comparison> comparisons;      // of pairs that are_compared()
  std::vector<Recovered> recovered;         // of the share refused
  std::optional<SideEffects> side_effects;  // kAnswer suites, with a patch
  // Full answers for the report: prompt index, and one answer per system of `systems`.
  struct Example {
    std::size_t prompt = 0;
    std::vector<std::string> texts;
  };
  std::vector<Example> examples;

  const SystemResult* find(const System& system) const;  // null when not measured
};

struct EvalResult {
  EvalOptions options;               // rows dropped from patches
  std::vector<OrderedJson> systems;  // what each system is (docs/format.md), in report order
  std::string model_path, model_sha256, architecture;
  std::vector<SuiteResult> suites;      // of kind "refusal", in the order given
  std::vector<MeasuredSuite> measured;  // the others
  std::string teacher_sha256;           // of the teacher's file; empty without one
  std::optional<Compliance> compliance;
  std::optional<Timing> timing;
  std::uint64_t generated_tokens = 0;                   // by this run; cached answers cost none
  std::vector<std::pair<std::string, double>> seconds;  // phase by phase
};

// How much a run will generate, for the plan that is printed before it. An upper bound: answers may
// end early and cached ones are free.
struct EvalPlan {
  std::size_t prompts = 0;
  std::uint64_t generated_tokens = 0;  // at most
  std::uint64_t scored_tokens = 0;     // continuation tokens scored or compared, at most
};
Result<EvalPlan> plan_eval(const EvalOptions& options, const Model& model);

// Runs the evaluation. `progress` counts prompts over all phases, with the phase as note. Errors:
// kInvalidArgument (no suite, two suites of one name, overlap with `learned_from`, what
// check_systems() refuses), those of reading prompts, of making judges and judging, of loading
// models and adapters, and of the Engine, kMismatch (a suite that needs one vocabulary, and a
// system of another), kIo of the cache (a damaged cache file is measured anew), kCancelled.
Result<EvalResult> run_eval(const Model& model, const EvalOptions& options,
                            const CancelFlag* cancel = nullptr, const ProgressFn& progress = {});

// Writes eval.json, report.html and responses.jsonl (every prompt with every system's answer) into
// the directory `out`, which is created when missing. `metrics` names the metrics.jsonl of the
// learning run for the report's learning curves (empty: none). With Overwrite::kNo an existing
// eval.json is kExists.
Status write_eval(const EvalResult& result, const std::filesystem::path& out,
                  const std::filesystem::path& metrics, Overwrite overwrite);

}  // namespace llmpatch
