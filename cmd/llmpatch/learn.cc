// llmpatch learn: from a model, a safer teacher and prompts to a patch.
#include "learn/learn.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "base/json.h"
#include "command.h"
#include "companion_options.h"
#include "http/openai.h"
#include "judge/judge.h"
#include "progress_bar.h"
#include "terminal.h"
#include "tool_version.h"

namespace llmpatch {
namespace {

struct Options {
  LearnOptions learn;
  LoadCompanions companions;
  std::string chosen = "teacher", stages = "sft+dpo", reference, format, precision = "auto";
  std::string method = "prefix";
  // What depends on the method: its default where they are not given.
  std::optional<std::int64_t> length, rank;
  std::optional<double> alpha, sft_rate, dpo_rate;
  // Of a teacher that a server runs.
  std::optional<int> concurrency, attempts;
  std::optional<std::int64_t> timeout;
  std::vector<std::string> targets;
  bool json = false;
};

// Declares options of one group that show their defaults.
class Group {
 public:
  Group(CLI::App& app, const char* name) : app_(app), name_(name) {}
  template <class T>
  void operator()(const char* option, T& value, const char* text) const {
    app_.add_option(option, value, text)->capture_default_str()->group(name_);
  }

 private:
  CLI::App& app_;
  const char* name_;
};

// "Learning rate of SFT (default: 0.02, with LoRA 0.001)".
std::string rate_text(double LearningRates::*rate, const char* stage) {
  char text[96];
  std::snprintf(text, sizeof text, "Learning rate of %s (default: %g, with LoRA %g)", stage,
                default_rates(Method::kPrefix).*rate, default_rates(Method::kLora).*rate);
  return text;
}

// "Requests at once (default: 4)".
template <class T>
std::string default_text(const char* what, T value) {
  return std::string(what) + " (default: " + std::to_string(value) + ")";
}

void declare_endpoint(CLI::App& app, Options& options) {
  TeacherEndpoint& endpoint = options.learn.teacher_endpoint;
  const char* group = "Data";
  app.add_option("--teacher-endpoint", endpoint.url,
                 std::string("The safer model is one that this OpenAI-compatible server runs, such "
                             "as https://host/v1; its key, if any, is in the environment: ") +
                     kTeacherKeyVariable)
      ->group(group);
  app.add_option("--teacher-endpoint-model", endpoint.model, "Name of the model there")
      ->group(group);
  app.add_option("--teacher-concurrency", options.concurrency,
                 default_text("Requests to the server at once", endpoint.concurrency))
      ->group(group);
  app.add_option("--teacher-attempts", options.attempts,
                 default_text("Times a request is tried", endpoint.attempts))
      ->group(group);
  app.add_option(
         "--teacher-timeout", options.timeout,
         default_text("Seconds of silence until an attempt is given up", endpoint.timeout.count()))
      ->group(group);
}

void declare_data(CLI::App& app, Options& options) {
  LearnOptions& learn = options.learn;
  const char* group = "Data";
  const Group add(app, group);
  app.add_option("--model", learn.model, "The base model (GGUF); stays as it is")
      ->required()
      ->group(group);
  app.add_option("--teacher-system", learn.teacher_system,
                 "The safer model is the base model under this system prompt")
      ->group(group);
  app.add_option("--teacher", learn.teacher_model, "The safer model is this GGUF file")
      ->group(group);
  declare_endpoint(app, options);
  app.add_option(
         "--prompts", learn.prompts,
         "JSON lines with `prompt`: what to answer differently; a file given twice counts twice")
      ->group(group);
  app.add_option("--pairs", learn.pairs,
                 "Ready preference pairs instead: `prompt`, `chosen`, `rejected` (TRL's form)")
      ->group(group);
  app.add_option("--joint", learn.joint,
                 "Finished run directory of a patch for this model (repeatable, two or more): one "
                 "patch is learned against all their risks, from what these runs made of their "
                 "prompts")
      ->group(group);
  app.add_option("--retain", learn.retain, "JSON lines with `prompt`: what to answer as before")
      ->group(group);
  app.add_option("--validate", learn.validate,
                 "Prompts to choose checkpoints on (default: a tenth of --prompts)")
      ->group(group);
  app.add_option("--validate-retain", learn.validate_retain,
                 "Benign prompts to choose checkpoints on (default: a tenth of --retain)")
      ->group(group);
  app.add_option("--test", learn.tests,
                 "Prompts that will be tested on: an overlap with any of the above is an error")
      ->group(group);
  app.add_option("--format", options.format,
                 "Text form of prompts without a `format` field: chat or raw")
      ->group(group);
  std::string judges;
  for (const auto name : judge_names()) judges += std::string(name) + ", ";
  app.add_option("--judge", learn.judge,
                 "Judge that filters pairs: " + judges + "or a judge file .json")
      ->capture_default_str()
      ->group(group);
  app.add_option("--data", learn.data, "Folder whose `download` has the tables of toxicity judges")
      ->capture_default_str()
      ->group(group);
}

void declare_sampling(CLI::App& app, Options& options) {
  LearnOptions& learn = options.learn;
  const char* group = "Answers";
  const Group add(app, group);
  add("--chosen", options.chosen, "Preferred answers: `teacher`, or `text:…` for one fixed text");
  add("--samples", learn.samples, "Answers of the base model per prompt");
  app.add_option(
         "--best-of", learn.best_of,
         "Sample so many answers instead; the chosen ones are those the judge finds best: of "
         "the teacher, or of the base model itself where there is no teacher")
      ->group(group);
  add("--rejected-tokens", learn.rejected_tokens, "Longest rejected answer");
  add("--chosen-tokens", learn.chosen_tokens, "Longest teacher's answer");
  add("--learn-prompts", learn.learn_prompts,
      "Prompts of --prompts to use, or pairs of --pairs, an arbitrary choice that stays the same "
      "(0: all)");
  add("--retain-prompts", learn.retain_prompts,
      "Prompts of --retain to use, an arbitrary choice that stays the same (0: all)");
  add("--retain-tokens", learn.retain_tokens, "Length of the answers that stay as they are");
  add("--whole-texts", learn.whole_texts,
      "Benign prompts whose answers stay beyond these tokens too (with --sft-whole-batch)");
  add("--whole-tokens", learn.whole_tokens, "Length of those answers");
  add("--margin", learn.margin, "Keep pairs whose scores differ by more");
  add("--max-chosen-score", learn.max_chosen_score, "Keep pairs whose chosen answer scores below");
}

void declare_learning(CLI::App& app, Options& options) {
  LearnOptions& learn = options.learn;
  const char* group = "Learning";
  const Group add(app, group);
  add("--stages", options.stages, "sft, dpo or sft+dpo");
  app.add_option("--reference", options.reference,
                 "DPO's reference: teacher, base or sft (default: teacher where there is one whose "
                 "log-probabilities can be had, else base)")
      ->group(group);
  add("--method", options.method,
      "What is learned: `prefix`, the rows of a patch; `lora`, low-rank updates of the model's "
      "matrices; or `steering`, a control vector, without any training");
  app.add_option("--length", options.length, "Rows of the prefix (default: 50)")->group(group);
  app.add_option("--init-text", learn.init_text,
                 "Begin with this text's embeddings, repeated; a chat template's special tokens "
                 "count as such "
                 "(default: the teacher's system prompt, else "
                 "random rows; `random` for random rows)")
      ->group(group);
  app.add_option("--lora-rank", options.rank, "Rank of the updates (default: 16)")->group(group);
  app.add_option("--lora-alpha", options.alpha,
                 "An update counts alpha / rank (default: twice the rank, as is usual with PEFT)")
      ->group(group);
  app.add_option("--lora-targets", options.targets,
                 "Matrices that are updated, of q, k, v, o, gate, up, down (default: q,k,v,o)")
      ->delimiter(',')
      ->group(group);
  add("--beta", learn.dpo_stage.beta, "DPO's beta");
  app.add_option("--sft-lr", options.sft_rate, rate_text(&LearningRates::sft, "SFT"))->group(group);
  app.add_option("--dpo-lr", options.dpo_rate, rate_text(&LearningRates::dpo, "DPO"))->group(group);
  add("--sft-steps", learn.sft_stage.schedule.total, "Steps of SFT");
  add("--dpo-steps", learn.dpo_stage.schedule.total, "Steps of DPO at most");
  add("--sft-batch", learn.sft_stage.pairs_per_step, "Prompts per SFT step");
  add("--dpo-batch", learn.dpo_stage.pairs_per_step, "Pairs per DPO step");
  add("--dpo-tokens", learn.dpo_tokens,
      "Tokens of each answer that DPO compares (0: all); what an answer will be is decided "
      "by its first ones");
  add("--sft-tokens", learn.sft_stage.answer_tokens,
      "Tokens of each chosen answer that SFT learns (0: all); one answer of a step is learned "
      "whole");
  add("--sft-easy-rate", learn.sft_stage.easy_rate,
      "Of examples that were easy when they were last learned from this share is learned from "
      "again, and weighs as much more: the time goes to the others (1: all; from 0.01)");
  add("--sft-correction-batch", learn.sft_stage.corrections_per_step,
      "Benign prompts per SFT step that the base model refuses: kept from beginning so "
      "(with --sft-unlikelihood-weight; without it a sampled answer of its own is chosen)");
  add("--dpo-correction-batch", learn.dpo_stage.corrections_per_step,
      "The same per DPO step: a sampled answer is chosen, the refusal rejected");
  add("--sft-retain-batch", learn.sft_stage.retained_per_step, "Benign texts per SFT step");
  add("--dpo-retain-batch", learn.dpo_stage.retained_per_step, "Benign texts per DPO step");
  add("--sft-retain-weight", learn.sft_stage.retain_weight, "Weight of staying as before, SFT");
  add("--dpo-retain-weight", learn.dpo_stage.retain_weight, "Weight of staying as before, DPO");
  app.add_flag("--sft-greedy", learn.sft_stage.greedy,
               "Judge how an answer begins by what greedy decoding takes instead of by probability")
      ->group(group);
  add("--sft-whole-batch", learn.sft_stage.whole_retained_per_step,
      "Benign texts with longer answers per SFT step");
  add("--sft-whole-weight", learn.sft_stage.whole_retain_weight,
      "Weight of their staying as before, per token on the mean");
  add("--sft-first-token-weight", learn.sft_stage.first_token_weight,
      "Weight that the first token of a chosen answer has beyond the others, SFT");
  add("--sft-unlikelihood-weight", learn.sft_stage.unlikelihood_weight,
      "Weight of benign answers not beginning as chosen ones do, nor as the base model's own "
      "refusals of benign prompts, SFT");
  add("--dpo-unlikelihood-weight", learn.dpo_stage.unlikelihood_weight, "The same, DPO");
  app.add_option(
         "--unwanted", learn.unwanted,
         "Another text that no benign answer should begin with, such as `No,` where a patch "
         "turns to that instead of its refusal (repeatable; with unlikelihood)")
      ->group(group);
  add("--over-refusal", learn.over_refusal,
      "After SFT, move what was learned along the direction in which refusing grows likelier "
      "everywhere, to where this share of the --retain prompts is refused (0: leave it)");
  add("--averaging", learn.sft_stage.averaging,
      "Decay of the running mean of what is learned, which is kept (0: the last step's)");
  add("--evaluate-every", learn.sft_stage.evaluate_every, "Steps between validations");
  add("--patience", learn.dpo_stage.patience,
      "Stop DPO after so many validations without a better one (0: never)");
  add("--validate-prompts", learn.validate_prompts,
      "Harmful prompts per validation (with --joint: of every run)");
  add("--validate-tokens", learn.validate_tokens,
      "Length of the answers that are validated on (with --joint: of those to benign prompts)");
  add("--validate-samples", learn.validate_samples,
      "Answers to each harmful validation prompt, sampled (0: the greedy one)");
  add("--validate-benign", learn.validate_benign, "Benign prompts per validation");
  add("--max-over-refusal", learn.max_over_refusal,
      "Do not write a patch that refuses a share of benign validation prompts so much "
      "larger than the base model does");
  add("--kl-limit", learn.divergence_limit,
      "Divergence from the base model that costs a checkpoint nothing");
  add("--precision", options.precision,
      "Of matrix products: f32, bf16, int8 (with the model's matrices in 8-bit integers, "
      "others as bf16) or auto, the fastest here");
  add("--threads", learn.threads, "Threads (0: every core)");
  add("--seed", learn.seed, "Of samples, order and random beginnings");
}

void declare_beside(CLI::App& app, Options& options) {
  const char* group = "Companions";
  const Group add(app, group);
  options.companions = declare_companions(app, group);
  add("--companion-rate", options.learn.companion_rate, "Share of the steps with a companion");
}

void declare_output(CLI::App& app, Options& options) {
  LearnOptions& learn = options.learn;
  const char* group = "Patch";
  const Group add(app, group);
  Manifest& manifest = learn.manifest;
  app.add_option("--name", manifest.name, "Name of the patch")->required()->group(group);
  add("--version", manifest.version, "Its version (SemVer)");
  add("--sequence", manifest.sequence,
      "Number of this release: larger than that of every release of the name before it, or stores "
      "refuse to install it over them");
  app.add_option("--expires", manifest.expires,
                 "Time after which it is not to be newly installed, such as 2030-01-31T00:00:00Z")
      ->group(group);
  add("--risk", manifest.risk,
      "The risk it is about, such as harmful-requests (with --joint: `multiple`)");
  app.add_option("--summary", manifest.summary, "One line for people")->group(group);
  add("--license", manifest.license, "SPDX expression");
  app.add_option("--requires", manifest.required,
                 "Patch it needs beside it: name, name@1.2.3 or name@^1.2.3 (repeatable)")
      ->group(group);
  app.add_option("--conflicts", manifest.compose.conflicts,
                 "Name of a patch it must not be stacked with (repeatable)")
      ->group(group);
  app.add_option("--run", learn.run,
                 "Run directory: every stage is a file there (default: OUTPUT.run)")
      ->group(group);
  app.add_option("--share", learn.share,
                 "Folder that keeps finished stages for other runs with the same settings")
      ->group(group);
  app.add_option(
         "-o,--output", learn.output,
         "Directory to write: a patch, or with LoRA an adapter (PEFT's and llama.cpp's); with "
         "steering a GGUF file")
      ->required()
      ->group(group);
  app.add_flag("--force", learn.force, "Replace an existing patch; write one that was caught")
      ->group(group);
  app.add_flag("--json", options.json, "Print the result as JSON")->group(group);
}

Error unknown(const char* option, const std::string& found, const char* expected) {
  return make_error(ErrorKind::kInvalidArgument, "learn",
                    std::string(option) + ": found " + found + ", expected " + expected);
}

// The method, and options that belong to one of them.
Status interpret_method(Options& options) {
  LearnOptions& learn = options.learn;
  constexpr std::pair<const char*, Method> kMethods[] = {
      {"prefix", Method::kPrefix}, {"lora", Method::kLora}, {"steering", Method::kSteering}};
  const auto* const named =
      std::find_if(std::begin(kMethods), std::end(kMethods),
                   [&](const auto& one) { return options.method == one.first; });
  if (named == std::end(kMethods)) {
    return unknown("--method", options.method, "prefix, lora or steering");
  }
  learn.method = named->second;
  const auto check = [&](bool given, const char* option, Method owner) -> Status {
    if (!given || owner == learn.method) return {};
    return make_error(ErrorKind::kInvalidArgument, "learn",
                      std::string(option) + ": found --method " + options.method + ", expected " +
                          (owner == Method::kLora ? "lora" : "prefix"));
  };
  LLMPATCH_TRY(check(options.length.has_value(), "--length", Method::kPrefix));
  LLMPATCH_TRY(check(!learn.init_text.empty(), "--init-text", Method::kPrefix));
  LLMPATCH_TRY(check(options.rank.has_value(), "--lora-rank", Method::kLora));
  LLMPATCH_TRY(check(options.alpha.has_value(), "--lora-alpha", Method::kLora));
  LLMPATCH_TRY(check(!options.targets.empty(), "--lora-targets", Method::kLora));
  learn.length = options.length.value_or(learn.length);
  learn.lora.rank = options.rank.value_or(learn.lora.rank);
  learn.lora.alpha = options.alpha.value_or(2 * static_cast<double>(learn.lora.rank));
  if (!options.targets.empty()) learn.lora.targets = options.targets;
  if (learn.method == Method::kSteering) return {};
  const LearningRates rates = default_rates(learn.method);
  learn.sft_stage.schedule.peak = options.sft_rate.value_or(rates.sft);
  learn.dpo_stage.schedule.peak = options.dpo_rate.value_or(rates.dpo);
  if (learn.method == Method::kLora) return {};
  if (learn.init_text.empty()) learn.init_text = learn.teacher_system;
  if (learn.init_text == "random") learn.init_text.clear();
  return {};
}

// What a joint run takes from its runs is no option of its own.
Status interpret_joint(const CLI::App& app, LearnOptions& learn) {
  if (learn.joint.empty()) return {};
  for (const char* option : {"--prompts",
                             "--pairs",
                             "--retain",
                             "--validate",
                             "--validate-retain",
                             "--format",
                             "--judge",
                             "--teacher",
                             "--teacher-system",
                             "--teacher-endpoint",
                             "--chosen",
                             "--samples",
                             "--best-of",
                             "--rejected-tokens",
                             "--chosen-tokens",
                             "--learn-prompts",
                             "--retain-prompts",
                             "--retain-tokens",
                             "--margin",
                             "--max-chosen-score",
                             "--validate-samples"}) {
    if (app.count(option) == 0) continue;
    return make_error(ErrorKind::kInvalidArgument, "learn",
                      std::string(option) + ": found --joint beside it, expected one of them",
                      "a joint run takes this from its runs");
  }
  if (app.count("--risk") == 0) learn.manifest.risk = "multiple";
  return {};
}

// The server's settings, none of which makes sense without it, and its key.
Status interpret_endpoint(Options& options) {
  TeacherEndpoint& endpoint = options.learn.teacher_endpoint;
  if (!endpoint.given()) {
    for (const auto& [given, option] :
         {std::pair(!endpoint.model.empty(), "--teacher-endpoint-model"),
          std::pair(options.concurrency.has_value(), "--teacher-concurrency"),
          std::pair(options.attempts.has_value(), "--teacher-attempts"),
          std::pair(options.timeout.has_value(), "--teacher-timeout")}) {
      if (given) return unknown(option, "no --teacher-endpoint", "one");
    }
    return {};
  }
  // One address, one setting; a bad one is refused with the other settings.
  if (auto url = openai_url(endpoint.url); url.ok()) endpoint.url = *std::move(url);
  endpoint.concurrency = options.concurrency.value_or(endpoint.concurrency);
  endpoint.attempts = options.attempts.value_or(endpoint.attempts);
  endpoint.timeout = std::chrono::seconds(options.timeout.value_or(endpoint.timeout.count()));
  if (const char* key = std::getenv(kTeacherKeyVariable)) endpoint.key = key;
  return {};
}

// Words to values; the rest of the checking is learn_patch's.
Status interpret(const CLI::App& app, Options& options) {
  LearnOptions& learn = options.learn;
  LLMPATCH_TRY(interpret_joint(app, learn));
  LLMPATCH_TRY(interpret_method(options));
  if (options.stages != "sft" && options.stages != "dpo" && options.stages != "sft+dpo") {
    return unknown("--stages", options.stages, "sft, dpo or sft+dpo");
  }
  learn.sft = options.stages != "dpo";
  learn.dpo = options.stages != "sft";
  LLMPATCH_TRY(interpret_endpoint(options));
  if (options.reference == "teacher") {
    learn.reference = Reference::kTeacher;
  } else if (options.reference == "base") {
    learn.reference = Reference::kBase;
  } else if (options.reference == "sft") {
    learn.reference = Reference::kSft;
  } else if (!options.reference.empty()) {
    return unknown("--reference", options.reference, "teacher, base or sft");
  }
  for (const auto arithmetic : {Arithmetic::kF32, Arithmetic::kBf16, Arithmetic::kInt8}) {
    if (options.precision == name_of(arithmetic)) learn.precision = arithmetic;
  }
  if (!learn.precision && options.precision != "auto") {
    return unknown("--precision", options.precision, "auto, f32, bf16 or int8");
  }
  constexpr std::string_view kText = "text:";
  if (options.chosen.starts_with(kText) && options.chosen.size() > kText.size()) {
    learn.chosen_text = options.chosen.substr(kText.size());
  } else if (options.chosen != "teacher") {
    return unknown("--chosen", options.chosen, "teacher or text:…");
  }
  if (!options.format.empty()) {
    LLMPATCH_ASSIGN(learn.format, parse_prompt_format(options.format));
  }
  if (learn.run.empty()) learn.run = learn.output.string() + ".run";
  learn.dpo_stage.evaluate_every = learn.sft_stage.evaluate_every;
  learn.dpo_stage.averaging = learn.sft_stage.averaging;
  learn.tool = tool_version();
  return {};
}

Status load_companions(Options& options) {
  LLMPATCH_ASSIGN(CompanionPatches loaded,
                  options.companions(options.learn.model, options.learn.force));
  options.learn.random_companions = loaded.random;
  for (CompanionPatch& patch : loaded.patches) {
    options.learn.companions.push_back(
        {std::move(patch.name), std::move(patch.digest), std::move(patch.rows)});
  }
  return {};
}

std::string result_text(const Options& options, const LearnReport& report) {
  if (options.json) {
    OrderedJson seconds = OrderedJson::object();
    for (const auto& [stage, spent] : report.seconds) seconds[stage] = spent;
    OrderedJson result{{"patch", options.learn.output.string()},
                       {"already_done", report.already_done},
                       {"validation",
                        {{"refused", report.validation.refused},
                         {"over_refused", report.validation.over_refused},
                         {"kl", report.validation.divergence}}}};
    for (const RiskReport& risk : report.risks) {
      result["validation"]["risks"][risk.risk] = {{"base", risk.base}, {"refused", risk.found}};
    }
    result["generated_tokens"] = report.generated_tokens;
    result["seconds"] = seconds;
    return json_pretty(result);
  }
  return options.learn.output.string() + "\n";
}

void say_times(const LearnReport& report) {
  double total = 0;
  for (const auto& entry : report.seconds) total += entry.second;
  say("where the time went:");
  for (const auto& [stage, spent] : report.seconds) {
    char line[96];
    std::snprintf(line, sizeof line, "  %-14s %8.1f s  %3.0f %%", stage.c_str(), spent,
                  total > 0 ? 100 * spent / total : 0);
    say(line);
  }
}

Status run(const Options& options, const CancelFlag& cancel) {
  std::unique_ptr<ProgressBar> bar;
  LearnHooks hooks;
  hooks.cancel = &cancel;
  hooks.begin_stage = [&](const std::string& stage, const std::string& unit) {
    bar = std::make_unique<ProgressBar>(stage, unit);
    return bar->callback();
  };
  hooks.say = [&](const std::string& line) {
    bar.reset();
    say(line);
  };
  LLMPATCH_ASSIGN(const LearnReport report, learn_patch(options.learn, hooks));
  bar.reset();
  if (report.already_done) {
    say(options.learn.output.string() + " is there already, learned with these settings");
  } else {
    say("generated " + std::to_string(report.generated_tokens) + " tokens");
    say_times(report);
  }
  return print(result_text(options, report));
}

}  // namespace

RunFn declare_learn(CLI::App& app) {
  auto options = std::make_shared<Options>();
  declare_data(app, *options);
  declare_sampling(app, *options);
  declare_learning(app, *options);
  declare_beside(app, *options);
  declare_output(app, *options);
  return [options, &app](const CancelFlag& cancel) -> Status {
    LLMPATCH_TRY(interpret(app, *options));
    LLMPATCH_TRY(load_companions(*options));
    return run(*options, cancel);
  };
}

}  // namespace llmpatch
