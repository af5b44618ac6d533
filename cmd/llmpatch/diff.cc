// llmpatch diff: what a patch changes in a model's answers, prompt by prompt.
#include "eval/diff.h"

#include <memory>
#include <string>
#include <vector>

#include "command.h"
#include "eval/diff_html.h"
#include "output_file.h"
#include "patch_options.h"
#include "progress_bar.h"
#include "run_options.h"
#include "terminal.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

struct Options {
  RunOptions run;
  PatchOptions patches;
  DiffOptions diff;
  std::vector<std::string> from, judges;
  fs::path prompts, data = "data", html;
  std::string format;
  bool force = false, json = false;
};

Result<Stack> add_stack(Engine& engine, const std::vector<AdmittedPatch>& admitted,
                        Compose compose) {
  Stack stack;
  stack.compose = compose;
  for (const AdmittedPatch& patch : admitted) {
    LLMPATCH_ASSIGN(const PrefixId id, engine.add_prefix(patch.patch.rows));
    stack.prefixes.push_back(id);
  }
  return stack;
}

// Patches of one side.
Result<std::vector<AdmittedPatch>> admit(const Options& options,
                                         const std::vector<std::string>& patches) {
  PatchOptions side = options.patches;
  side.patches = patches;
  return side.admit_every(options.run.model, options.force, "diff");
}

std::vector<DiffPatch> names_of(std::vector<AdmittedPatch>& stack) {
  std::vector<DiffPatch> names;
  for (AdmittedPatch& patch : stack) {
    Manifest& manifest = patch.patch.manifest;
    names.push_back({manifest.name, manifest.version, manifest.files[kRowsFile]});
  }
  return names;
}

Status run(const Options& options, const CancelFlag& cancel) {
  if (!options.html.empty()) {
    LLMPATCH_TRY(check_output_file(options.html, overwrite_if(options.force), {options.prompts}));
  }
  LLMPATCH_ASSIGN(const Compose compose, options.patches.composition());
  std::vector<std::unique_ptr<Judge>> owned;
  std::vector<const Judge*> judges;
  for (const std::string& name : options.judges) {
    LLMPATCH_ASSIGN(std::unique_ptr<Judge> judge, make_judge(name, {options.data, &cancel}));
    judges.push_back(judge.get());
    owned.push_back(std::move(judge));
  }
  Suite suite;
  suite.name = options.prompts.stem().string();
  suite.prompts = options.prompts;
  std::optional<PromptFormat> format;
  if (!options.format.empty()) {
    LLMPATCH_ASSIGN(format, parse_prompt_format(options.format));
  }
  LLMPATCH_ASSIGN(auto before, admit(options, options.from));
  LLMPATCH_ASSIGN(auto after, admit(options, options.patches.patches));
  LLMPATCH_ASSIGN(const std::unique_ptr<Model> model, options.run.load_model());
  LLMPATCH_ASSIGN(const auto prompts,
                  read_suite_prompts(suite, format, default_prompt_format(*model)));
  LLMPATCH_ASSIGN(const auto engine, Engine::create(*model, options.run.engine_options()));
  LLMPATCH_ASSIGN(const Stack stack_before, add_stack(*engine, before, compose));
  LLMPATCH_ASSIGN(const Stack stack_after, add_stack(*engine, after, compose));
  say("plan: " + count_text(prompts.size(), "prompt") + " answered twice, at most " +
      count_text(2 * prompts.size() * static_cast<std::size_t>(options.diff.max_tokens), "token"));

  ProgressBar bar("diff", "prompts");
  const auto diff = diff_behaviour(*engine, prompts, stack_before, stack_after, judges,
                                   options.diff, &cancel, bar.callback());
  bar.clear();
  LLMPATCH_TRY(diff);
  const DiffSubject subject{options.run.model.filename().string(), names_of(before),
                            names_of(after), options.diff.max_tokens};
  if (!options.html.empty()) {
    LLMPATCH_TRY(write_file_atomic(options.html, diff_html(*diff, prompts, subject),
                                   overwrite_if(options.force)));
    say("wrote " + options.html.string());
  }
  return print(options.json ? json_pretty(diff_json(*diff, prompts, judges, subject))
                            : diff_text(*diff, prompts));
}

}  // namespace

RunFn declare_diff(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->run.declare(app);
  options->patches.declare(app);
  app.get_option("--patch")->required();
  app.add_option("--from", options->from,
                 "Patch to compare with, named as for --patch; repeatable; none: the model alone")
      ->allow_extra_args(false);
  app.add_option("--prompts", options->prompts, "JSON lines with `prompt` (text) or `messages`")
      ->required();
  app.add_option("--judge", options->judges, "Judge of both answers, by name or file; repeatable")
      ->allow_extra_args(false);
  app.add_option("--data", options->data, "Folder of the judges' data")->capture_default_str();
  app.add_option("--format", options->format, "chat or raw, instead of the lines' own");
  app.add_option("--max-tokens", options->diff.max_tokens, "Longest answer in tokens")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  app.add_option("--html", options->html, "Write the changes as a page, too, to this file");
  app.add_flag("--force", options->force,
               "Replace an existing page; run a patch on a model it was not made for");
  app.add_flag("--json", options->json, "Print the changes as JSON");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
