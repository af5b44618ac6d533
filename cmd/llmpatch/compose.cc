// llmpatch compose: measures patches alone, in every order and in parallel, and says which way of
// composing them keeps what each does.
#include "eval/compose.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "command.h"
#include "eval/compose_report.h"
#include "eval_systems.h"
#include "output_file.h"
#include "patch_options.h"
#include "progress_bar.h"
#include "run_options.h"
#include "speed_probe.h"
#include "suite_options.h"
#include "terminal.h"
#include "tool_version.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

struct Options {
  RunOptions run;
  PatchOptions patches;
  ComposeOptions compose;  // the figures that go through as they are
  SuiteOptions suites;
  std::vector<std::string> metrics;
  std::string format;
  std::optional<std::string> orders;
  fs::path output;
  bool record = false, force = false, json = false;
};

// Every order as long as that is few: of three patches there are 6, of four 24.
ComposeOrders default_orders(std::size_t patches) {
  return patches <= 3 ? ComposeOrders::kAll : ComposeOrders::kTwo;
}

// Whether the files may be written, before the hours that fill them.
Status check_outputs(const Options& options) {
  LLMPATCH_TRY(check_output_folder(options.output, "compose.json", overwrite_if(options.force)));
  if (!options.record) return {};
  for (const std::string& patch : options.patches.patches) {
    if (!is_patch_path(patch)) {
      return make_error(ErrorKind::kInvalidArgument, "compose",
                        "--record: found " + patch + " of the store, expected a patch directory");
    }
    LLMPATCH_TRY(check_changeable(patch, "--record, compose.tested"));
  }
  return {};
}

Status add_patches(const Options& options, ComposeOptions& compose) {
  LLMPATCH_ASSIGN(auto admitted,
                  options.patches.admit_every(options.run.model, options.force, "compose"));
  for (const AdmittedPatch& patch : admitted) compose.risks.push_back(patch.patch.manifest.risk);
  std::vector<std::string> forced;
  compose.eval.patches = eval_patches(std::move(admitted), forced);
  for (const std::string& line : forced) compose.eval.command += "  # " + line;
  return {};
}

Result<ComposeOptions> compose_options(const Options& options, const CancelFlag& cancel) {
  ComposeOptions compose = options.compose;
  EvalOptions& eval = compose.eval;
  compose.orders = default_orders(options.patches.patches.size());
  if (options.orders) {
    LLMPATCH_ASSIGN(compose.orders, parse_compose_orders(*options.orders));
  }
  for (const std::string& text : options.metrics) {
    LLMPATCH_ASSIGN(auto metric, parse_patch_metric(text));
    compose.metrics.insert_or_assign(std::move(metric.first), std::move(metric.second));
  }
  if (!options.format.empty()) {
    LLMPATCH_ASSIGN(eval.format, parse_prompt_format(options.format));
  }
  LLMPATCH_ASSIGN(eval.suites, options.suites.load());
  LLMPATCH_TRY(check_outputs(options));
  eval.command = command_line();
  LLMPATCH_TRY(add_patches(options, compose));
  LLMPATCH_TRY(check_cancelled(&cancel, "compose"));
  eval.data = options.suites.data;
  eval.engine = options.run.engine_options();
  eval.tool_version = tool_version();
  if (eval.cache.empty()) eval.cache = options.output / "cache";
  return compose;
}

std::vector<std::string> names_of(const ComposeOptions& compose) {
  std::vector<std::string> names;
  for (const EvalPatch& patch : compose.eval.patches) names.push_back(patch.name);
  return names;
}

// What will be done, how long it may take, and what the recommendation will rest on.
Status say_plan(const ComposeOptions& compose, const ComposePlan& plan, const Model& model) {
  const std::vector<std::string> names = names_of(compose);
  say("plan: " + count_text(plan.prompts, "prompt") + ", the model alone and " +
      count_text(plan.modes.size(), "mode") + ", at most " + std::to_string(plan.generated_tokens) +
      " tokens to generate and " + std::to_string(plan.scored_tokens) + " to score");
  for (const ComposeMode& mode : plan.modes) say("  " + mode_label(mode, names));
  for (std::size_t i = 0; i < names.size(); ++i) {
    say(names[i] + " is measured by " + plan.domains[i].text());
  }
  if (!plan.over_refusal) {
    warn(
        "no suite has prompts to be answered, so that nothing will be recommended: add "
        "--eval over-refusal");
  }
  return say_cost(model, compose.eval.engine, plan.generated_tokens + plan.scored_tokens);
}

Status record(const Options& options, const ComposeResult& result) {
  for (std::size_t i = 0; i < options.patches.patches.size(); ++i) {
    const std::string& directory = options.patches.patches[i];
    const std::vector<TestedStack> stacks = tested_stacks(result, i);
    if (stacks.empty()) {
      warn(result.table.patches[i].name + " alone improves nothing: nothing to record");
      continue;
    }
    LLMPATCH_TRY(put_tested(directory, stacks));
    say("recorded " + count_text(stacks.size(), "stack") + " in " + directory);
  }
  return {};
}

Status run(const Options& options, const CancelFlag& cancel) {
  LLMPATCH_ASSIGN(const ComposeOptions compose, compose_options(options, cancel));
  LLMPATCH_ASSIGN(const std::unique_ptr<Model> model, options.run.load_model());
  LLMPATCH_ASSIGN(const ComposePlan plan, plan_compose(compose, *model));
  LLMPATCH_TRY(say_plan(compose, plan, *model));

  const std::vector<std::string> names = names_of(compose);
  ProgressBar bar("compose", "prompts");
  const OnMode write_mode = [&](const ComposeMode& mode, const EvalResult& result) {
    return write_eval(result, options.output / "modes" / mode_slug(mode, names), {},
                      Overwrite::kYes);
  };
  const auto result = run_compose(*model, compose, &cancel, bar.callback(), write_mode);
  bar.clear();
  LLMPATCH_TRY(result);
  LLMPATCH_TRY(write_compose(*result, options.output, overwrite_if(options.force)));
  if (options.record) LLMPATCH_TRY(record(options, *result));
  LLMPATCH_TRY(print(options.json ? json_pretty(compose_json(*result)) : compose_text(*result)));
  say("wrote " + (options.output / "compose.md").string());
  return {};
}

void declare_measuring(CLI::App& app, Options& options) {
  EvalOptions& eval = options.compose.eval;
  options.suites.declare(app, "--eval,--suite")
      ->required()
      ->allow_extra_args(false)
      ->delimiter(',');
  app.add_option(
         "--judge", eval.judges,
         "Judge to add to every suite whose answers are judged, by name or file; repeatable")
      ->allow_extra_args(false);
  app.add_option("--format", options.format, "chat or raw, instead of the suites' own");
  app.add_option("--side-effects", eval.side_effect_limit,
                 "Benign prompts a suite for divergence and perplexity; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", eval.seed, "Of the bootstrap intervals and of sampled answers")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--cache", eval.cache,
                 "Folder that keeps finished answers (default: cache in the output)");
  app.add_option("--learned-from", eval.learned_from,
                 "Prompts a patch was learned from: an overlap is an error; repeatable")
      ->allow_extra_args(false);
}

}  // namespace

RunFn declare_compose(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("PATCH", options->patches.patches,
                 "Two patches or more: directory, .llmpatch file, or NAME or NAME@VERSION of the "
                 "store")
      ->required()
      ->expected(2, 64);
  options->run.declare(app);
  options->patches.declare_checks(app);
  declare_measuring(app, *options);
  app.add_option("--metric", options->metrics,
                 "PATCH=SUITE:METRIC: what measures a patch's own domain (default: by its risk); "
                 "repeatable")
      ->allow_extra_args(false);
  app.add_option_function<std::string>(
      "--orders", [options](const std::string& text) { options->orders = text; },
      "Orders of all of three patches or more: two (as given, reversed) or all (default: "
      "all of three, two of more)");
  app.add_option("--max-modes", options->compose.max_modes,
                 "Most ways of composing that are measured")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--min-kept", options->compose.limits.kept,
                 "Share of each patch's improvement alone that a recommended mode keeps")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--max-over-refusal", options->compose.limits.over_refusal,
                 "By which its over-refusal may exceed that of the patches alone")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("-o,--output", options->output, "Folder of compose.json and compose.md")
      ->required();
  app.add_flag("--record", options->record,
               "Put the figures into `compose.tested` of the patch directories");
  app.add_flag("--force", options->force,
               "Replace an existing study; run a patch on a model it was not made for");
  app.add_flag("--json", options->json, "Print compose.json instead of the table");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
