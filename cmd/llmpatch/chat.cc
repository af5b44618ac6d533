// llmpatch chat: a conversation on the terminal, patches switched on and off while it goes.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "adapter_options.h"
#include "command.h"
#include "patch_options.h"
#include "run_options.h"
#include "runtime/prompt.h"
#include "sampling_options.h"
#include "terminal.h"

namespace llmpatch {
namespace {

struct Options {
  RunOptions run;
  PatchOptions patches;
  AdapterOptions adapters;
  SamplingOptions sampling;
  std::string system;
  bool force = false;
};

constexpr const char* kHelp =
    "/patch NAME on|off switches a patch, /patch lists them, /reset forgets the conversation, "
    "/quit leaves";

struct SwitchedPatch {
  AdmittedPatch admitted;
  PrefixId prefix = 0;
  bool on = true;

  const std::string& name() const { return admitted.patch.manifest.name; }
};

// A conversation and the machinery behind it.
class Chat {
 public:
  static Result<Chat> open(const Options& options);

  // Answers one line of the user, streaming to stdout. An error leaves the conversation as it was.
  Status answer(const std::string& line, const CancelFlag& cancel);
  // Runs "/patch ..." and the like; talks on stderr. False: the user leaves.
  bool command(const std::string& line);

 private:
  void switch_patch(std::istringstream& words);

  Sampling sampling_;
  int max_tokens_ = 0;
  std::string system_;
  Stack stack_;  // its composition; the prefixes are chosen for each answer
  std::unique_ptr<Model> model_;
  std::unique_ptr<Engine> engine_;
  std::vector<SwitchedPatch> patches_;
  std::vector<std::string> without_;  // of AdmittedStack
  std::vector<Message> messages_;
};

Result<Chat> Chat::open(const Options& options) {
  Chat chat;
  LLMPATCH_ASSIGN(chat.sampling_, options.sampling.sampling());
  LLMPATCH_ASSIGN(chat.stack_.compose, options.patches.composition());
  chat.max_tokens_ = options.sampling.max_tokens;
  chat.system_ = options.system;
  LLMPATCH_ASSIGN(AdmittedStack admitted, options.patches.admit(options.run.model, options.force));
  chat.without_ = std::move(admitted.without);
  LLMPATCH_ASSIGN(chat.model_, options.run.load_model());
  EngineOptions engine_options = options.run.engine_options();
  engine_options.max_concurrent = 1;
  LLMPATCH_ASSIGN(engine_options.adapters, options.adapters.adapters());
  LLMPATCH_ASSIGN(chat.engine_, Engine::create(*chat.model_, engine_options));
  for (AdmittedPatch& patch : admitted.patches) {
    LLMPATCH_ASSIGN(const PrefixId prefix, chat.engine_->add_prefix(patch.patch.rows));
    chat.patches_.push_back({std::move(patch), prefix, true});
  }
  return chat;
}

Status Chat::answer(const std::string& line, const CancelFlag& cancel) {
  const PromptFormat format = default_prompt_format(*model_);
  Prompt prompt;
  if (format == PromptFormat::kChat) prompt.messages = messages_;  // raw text has no turns
  prompt.messages.push_back({"user", line});

  GenerateRequest request;
  LLMPATCH_ASSIGN(request.prompt, encode_prompt(*model_, prompt, format, system_));
  request.stack = stack_;
  for (const std::string& warning : without_) warn(warning);
  for (const SwitchedPatch& patch : patches_) {
    if (!patch.on) continue;
    request.stack.prefixes.push_back(patch.prefix);
    for (const std::string& warning : patch.admitted.warnings()) warn(warning);
  }
  request.sampling = sampling_;
  request.max_tokens = max_tokens_;
  request.random_key = prompt.digest();

  Status written;
  bool begun = false;
  const Engine::TokenFn stream = [&](std::size_t, std::string_view text) {
    begun = true;
    written = print(text);
    return written.ok();
  };
  const auto completions = engine_->generate(std::span(&request, 1), &cancel, {}, stream);
  LLMPATCH_TRY(written);
  if (begun || completions.ok()) LLMPATCH_TRY(print("\n"));
  LLMPATCH_TRY(completions);
  messages_.push_back({"user", line});
  messages_.push_back({"assistant", completions->front().text});
  return {};
}

bool Chat::command(const std::string& line) {
  std::istringstream words(line);
  std::string name;
  words >> name;
  if (name == "/quit") return false;
  if (name == "/patch") {
    switch_patch(words);
  } else if (name == "/reset") {
    messages_.clear();
    say("the conversation is forgotten");
  } else {
    say(kHelp);
  }
  return true;
}

void Chat::switch_patch(std::istringstream& words) {
  std::string name, state;
  words >> name >> state;
  if (name.empty()) {
    if (patches_.empty()) say("no patch was given (--patch)");
    for (const SwitchedPatch& patch : patches_) say(patch.name() + (patch.on ? " on" : " off"));
    return;
  }
  const auto found = std::find_if(patches_.begin(), patches_.end(),
                                  [&](const SwitchedPatch& patch) { return patch.name() == name; });
  if (found == patches_.end()) {
    say("no patch is called '" + name + "'; /patch lists them");
  } else if (state != "on" && state != "off") {
    say("say /patch " + name + " on, or off");
  } else {
    found->on = state == "on";
    say(name + " is " + state);
  }
}

Status run(const Options& options, const CancelFlag& cancel) {
  LLMPATCH_ASSIGN(Chat chat, Chat::open(options));
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  if (terminal) say(kHelp);
  while (true) {
    if (terminal) std::cerr << "> " << std::flush;
    std::string line;
    if (!std::getline(std::cin, line)) return check_cancelled(&cancel, "chat");
    if (line.empty()) continue;
    if (line.front() == '/') {
      if (!chat.command(line)) return {};
      continue;
    }
    const Status status = chat.answer(line, cancel);
    if (status.ok()) continue;
    // A message that does not fit can be followed by one that does.
    if (status.error().kind != ErrorKind::kLimit) return status;
    report(status.error());
    say("/reset forgets the conversation so far");
  }
}

}  // namespace

RunFn declare_chat(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->run.declare(app);
  options->patches.declare(app);
  options->adapters.declare(app);
  app.add_option("--system", options->system, "System message");
  options->sampling.declare(app);
  app.add_flag("--force", options->force, "Run a patch on a model it was not made for");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
