// A composition study: what several patches do alone, in every order and in parallel, on the same
// prompts with the same random numbers, and which way of composing them keeps what each does.
//
// Read this header first; then compose_recommend.h (the rule) and compose_report.h (the files).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "eval/compose_recommend.h"
#include "eval/compose_table.h"
#include "eval/evaluate.h"

namespace llmpatch {

struct ComposeOptions {
  // Suites, patches, seed, cache, engine and the rest of one evaluation; `patches` are those under
  // study, two or more of different names, `compose` is not looked at.
  EvalOptions eval;
  std::vector<std::string> risks;  // the manifest's, one a patch
  // What measures a patch's domain, by its name; others take domain_metric() of their risk.
  std::map<std::string, MetricName> metrics;
  ComposeOrders orders = ComposeOrders::kTwo;
  std::size_t max_modes = 24;
  ComposeLimits limits;
};

// What a study will do, for the lines that are printed before it; upper bounds.
struct ComposePlan {
  std::vector<ComposeMode> modes;
  std::vector<MetricName> domains;     // patch by patch
  bool over_refusal = false;           // some suite measures it; without one nothing is recommended
  std::size_t prompts = 0;             // of all suites
  std::uint64_t generated_tokens = 0;  // the base's once
  std::uint64_t scored_tokens = 0;     // the base's with every mode
};

// kInvalidArgument: fewer than two patches, a patch whose domain no suite measures, a metric for a
// patch or of a suite that is not there; kLimit: more modes than `max_modes`; the errors of
// plan_eval().
Result<ComposePlan> plan_compose(const ComposeOptions& options, const Model& model);

struct ComposeResult {
  ComposeOptions options;  // rows dropped from patches
  std::string model_path, model_sha256, architecture;
  ComposeTable table;
  Recommendation recommendation;
  std::uint64_t generated_tokens = 0;                   // by this run; cached answers cost none
  std::vector<std::pair<std::string, double>> seconds;  // mode by mode
};

// Called with the evaluation of each mode as it is finished, such as to write it; an error ends the
// study.
using OnMode = std::function<Status(const ComposeMode& mode, const EvalResult& result)>;

// Evaluates mode after mode. Finished answers are kept in options.eval.cache, so that the same call
// goes on where it was stopped, and the model alone answers once. `progress` counts prompts over
// all modes. Errors of plan_compose() and run_eval(); kInvalidArgument after the first mode where
// its suite has no metric of the name that a domain was given.
Result<ComposeResult> run_compose(const Model& model, const ComposeOptions& options,
                                  const CancelFlag* cancel = nullptr,
                                  const ProgressFn& progress = {}, const OnMode& on_mode = {});

}  // namespace llmpatch
