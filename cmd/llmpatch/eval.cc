// llmpatch eval: measures a model with and without patches, and writes the report.
#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "command.h"
#include "eval/card.h"
#include "eval/evaluate.h"
#include "eval_systems.h"
#include "output_file.h"
#include "patch_options.h"
#include "progress_bar.h"
#include "reproduce.h"
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
  EvalSystemOptions systems;
  EvalOptions eval;  // the figures that go through as they are
  SuiteOptions suites;
  std::string format;
  fs::path card, metrics, output, reproduce;
  bool force = false, json = false;
};

// Whether the card can go into that patch, before an hour is spent on it.
Status check_card(const fs::path& card, const std::vector<std::string>& patches) {
  const bool measured = std::any_of(patches.begin(), patches.end(), [&](const std::string& patch) {
    std::error_code code;
    return fs::equivalent(patch, card, code);
  });
  if (!measured) {
    return make_error(ErrorKind::kInvalidArgument, "eval",
                      "--card " + card.string() + ": found none of the patches measured (--patch)");
  }
  std::error_code code;
  if (!fs::is_directory(card, code)) {
    return make_error(ErrorKind::kInvalidArgument, "eval",
                      "--card " + card.string() + ": found a file, expected a patch directory");
  }
  if (fs::exists(card / kSignatureFile, code)) {
    return make_error(
        ErrorKind::kDenied, "eval",
        "--card " + card.string() + ": it is signed, and the signature would no longer hold");
  }
  return {};
}

Status check_arguments(const Options& options) {
  if (options.reproduce.empty()) {
    const char* missing = options.suites.names.empty() ? "--suite" : "--output";
    if (!options.suites.names.empty() && !options.output.empty()) return {};
    return make_error(ErrorKind::kInvalidArgument, "command line",
                      std::string(missing) + ": found none, expected one");
  }
  if (options.card.empty()) return {};
  return make_error(ErrorKind::kInvalidArgument, "command line",
                    "--card: found with --reproduce, which compares with a card and writes none");
}

Result<EvalOptions> eval_options(const Options& options, const CancelFlag& cancel) {
  LLMPATCH_TRY(check_arguments(options));
  EvalOptions eval = options.eval;
  LLMPATCH_ASSIGN(eval.compose, options.patches.composition());
  if (!options.format.empty()) {
    LLMPATCH_ASSIGN(eval.format, parse_prompt_format(options.format));
  }
  LLMPATCH_ASSIGN(eval.suites, options.suites.load());
  if (!options.output.empty()) {
    LLMPATCH_TRY(check_output_folder(options.output, "eval.json", overwrite_if(options.force)));
  }
  if (!options.card.empty()) LLMPATCH_TRY(check_card(options.card, options.patches.patches));
  PatchOptions patches = options.patches;
  if (patches.patches.empty() && !options.reproduce.empty()) {
    patches.patches = {options.reproduce.string()};
  }
  LLMPATCH_ASSIGN(auto admitted, patches.admit_every(options.run.model, options.force, "eval"));
  LLMPATCH_TRY(check_cancelled(&cancel, "eval"));
  std::vector<std::string> forced;
  eval.patches = eval_patches(std::move(admitted), forced);
  LLMPATCH_ASSIGN(FurtherSystems further,
                  options.systems.read(options.patches, options.run.model, options.force));
  eval.systems = std::move(further.systems);
  std::ranges::move(further.forced, std::back_inserter(forced));
  eval.command = command_line();
  for (const std::string& line : forced) eval.command += "  # " + line;
  eval.data = options.suites.data;
  eval.engine = options.run.engine_options();
  eval.tool_version = tool_version();
  if (eval.cache.empty() && !options.output.empty()) eval.cache = options.output / "cache";
  return eval;
}

// The whole run again that a card records; its figures are to lie in the card's intervals.
Status reproduce(const Options& options, EvalOptions& eval, const Json& card,
                 const CancelFlag& cancel) {
  LLMPATCH_TRY(apply_card(card, eval));
  LLMPATCH_TRY(check_card_matches(card, options.run.model, eval));
  LLMPATCH_ASSIGN(const Json expected, without_missing_systems(card, eval));
  ModelOptions model_options;
  model_options.exact = eval.engine.exact;
  LLMPATCH_ASSIGN(const auto model, Model::load(options.run.model, model_options));
  ProgressBar bar("eval", "prompts");
  const auto result = run_eval(*model, eval, &cancel, bar.callback());
  bar.clear();
  LLMPATCH_TRY(result);
  if (!options.output.empty()) {
    LLMPATCH_TRY(write_eval(*result, options.output, {}, overwrite_if(options.force)));
  }
  const OrderedJson again = eval_card(*result);
  LLMPATCH_TRY(print(options.json ? json_pretty(again) : eval_table(*result)));
  LLMPATCH_TRY(check_reproduced(expected, Json(again)));
  say("reproduced: every figure lies in its recorded interval");
  return {};
}

Status run(const Options& options, const CancelFlag& cancel) {
  LLMPATCH_ASSIGN(EvalOptions eval, eval_options(options, cancel));
  if (!options.reproduce.empty()) {
    LLMPATCH_ASSIGN(const Json card, card_of(options.reproduce));
    return reproduce(options, eval, card, cancel);
  }
  LLMPATCH_ASSIGN(const std::unique_ptr<Model> model, options.run.load_model());
  LLMPATCH_ASSIGN(const EvalPlan plan, plan_eval(eval, *model));
  say("plan: " + count_text(plan.prompts, "prompt") + ", at most " +
      std::to_string(plan.generated_tokens) + " tokens to generate and " +
      std::to_string(plan.scored_tokens) + " to score");
  LLMPATCH_TRY(say_cost(*model, eval.engine, plan.generated_tokens + plan.scored_tokens));

  ProgressBar bar("eval", "prompts");
  const auto result = run_eval(*model, eval, &cancel, bar.callback());
  bar.clear();
  LLMPATCH_TRY(result);
  LLMPATCH_TRY(write_eval(*result, options.output, options.metrics, overwrite_if(options.force)));
  const OrderedJson card = eval_card(*result);
  if (!options.card.empty()) LLMPATCH_TRY(put_card(options.card, Json(card)));
  LLMPATCH_TRY(print(options.json ? json_pretty(card) : eval_table(*result)));
  say("wrote " + (options.output / "report.html").string());
  return {};
}

}  // namespace

RunFn declare_eval(CLI::App& app) {
  auto options = std::make_shared<Options>();
  EvalOptions& eval = options->eval;
  options->run.declare(app);
  options->patches.declare(app);
  options->suites.declare(app);
  app.add_option("--teacher", eval.teacher,
                 "A safer model, a GGUF file, to measure as the reference beside the others");
  options->systems.declare(app);
  app.add_option(
         "--judge", eval.judges,
         "Judge to add to every suite whose answers are judged, by name or file; repeatable")
      ->allow_extra_args(false);
  app.add_option("--system", eval.system, "Safety system prompt to measure beside the patch");
  app.add_option("--system-limit", eval.system_limit,
                 "Measure it on the first N prompts of a suite; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--format", options->format, "chat or raw, instead of the suites' own");
  app.add_option("--side-effects", eval.side_effect_limit,
                 "Benign prompts a suite for divergence and perplexity; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--compliance", eval.compliance_limit, "Harmful prompts for `compliance`; 0: none")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--timing", eval.timing_prompts, "Prompts for the timing comparison; 0: none")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--examples", eval.examples, "Prompts a suite answered in full for the report")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", eval.seed, "Of the bootstrap intervals and of sampled answers")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--cache", eval.cache,
                 "Folder that keeps finished answers (default: cache in the output)");
  app.add_option("--learned-from", eval.learned_from,
                 "Prompts the patch was learned from: an overlap is an error; repeatable")
      ->allow_extra_args(false);
  app.add_option("--card", options->card, "Put eval.json into this patch directory");
  app.add_option("--metrics", options->metrics,
                 "metrics.jsonl of the learning run, for the report's curves");
  app.add_option("-o,--output", options->output, "Folder of eval.json and report.html");
  app.add_option(
      "--reproduce", options->reproduce,
      "Run again what this patch's card records, and compare: exit code 13 when a figure "
      "left its interval");
  app.add_flag("--force", options->force,
               "Replace an existing evaluation; run a patch on a model it was not made for");
  app.add_flag("--json", options->json, "Print eval.json instead of the table");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
