// What main and the subcommands agree on. A new subcommand is one file that defines its declare
// function, one line here and one line in subcommands.cc.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>

#include "base/cancel.h"
#include "base/result.h"

namespace llmpatch {

// Runs a subcommand whose options were parsed. An error becomes the message on stderr and the exit
// code; data goes to stdout, talk to stderr.
using RunFn = std::function<Status(const CancelFlag& cancel)>;

struct Subcommand {
  const char* name;
  const char* summary;  // for the list in --help
  RunFn (*declare)(CLI::App& app);
};

// What this program can do: subcommands.cc, or no_models.cc where it reads no models.
std::span<const Subcommand> subcommands();

// Of the subcommands that stand in both lists.
inline constexpr const char* kInspectSummary = "Show what a patch says about itself";
inline constexpr const char* kKeygenSummary = "Make a key pair to sign patches with";
inline constexpr const char* kPackSummary = "Make one .llmpatch file of a patch directory";
inline constexpr const char* kSignSummary = "Sign a patch directory";
inline constexpr const char* kUnpackSummary = "Make a patch directory of a .llmpatch file";
inline constexpr const char* kVerifySummary = "Check a patch's signature and every file under it";

// Each declares its options on `app` and returns what to run once they are parsed.
RunFn declare_ablate(CLI::App& app);
RunFn declare_activate(CLI::App& app);
RunFn declare_attack(CLI::App& app);
RunFn declare_channel(CLI::App& app);
RunFn declare_chat(CLI::App& app);
RunFn declare_compose(CLI::App& app);
RunFn declare_deactivate(CLI::App& app);
RunFn declare_diff(CLI::App& app);
RunFn declare_doctor(CLI::App& app);
RunFn declare_eval(CLI::App& app);
RunFn declare_generate(CLI::App& app);
RunFn declare_history(CLI::App& app);
RunFn declare_inspect(CLI::App& app);
RunFn declare_install(CLI::App& app);
RunFn declare_keygen(CLI::App& app);
RunFn declare_learn(CLI::App& app);
RunFn declare_list(CLI::App& app);
RunFn declare_merge(CLI::App& app);
RunFn declare_pack(CLI::App& app);
RunFn declare_pull(CLI::App& app);
RunFn declare_push(CLI::App& app);
RunFn declare_remove(CLI::App& app);
RunFn declare_report(CLI::App& app);
RunFn declare_rollback(CLI::App& app);
RunFn declare_serve(CLI::App& app);
RunFn declare_sign(CLI::App& app);
RunFn declare_tags(CLI::App& app);
RunFn declare_unpack(CLI::App& app);
RunFn declare_update(CLI::App& app);
RunFn declare_verify(CLI::App& app);

}  // namespace llmpatch
