// --patch and what goes with it: which patches run, and what is checked before they may.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "patch/patch.h"
#include "runtime/engine.h"
#include "store_options.h"
#include "trust_options.h"

namespace llmpatch {

// A patch that passed the checks below.
struct AdmittedPatch {
  Patch patch;
  // Lines that every output repeats, each empty unless: the patch runs on a model it was not made
  // for, by --force; its signature was not verified, by --allow-unsigned.
  std::string forced, unverified;

  // Those that are not empty.
  std::vector<std::string> warnings() const;
};

// What a run has of the patches it was asked for.
struct AdmittedStack {
  std::vector<AdmittedPatch> patches;
  // A line for each patch that it runs without: every version of it was revoked, and the store's
  // subscription says that it may. Every output repeats them.
  std::vector<std::string> without;

  // The warnings of all, in order.
  std::vector<std::string> warnings() const;
};

// The options every command that runs patches has. `--force` is the command's own option, since it
// also means other things.
struct PatchOptions {
  std::vector<std::string> patches;
  StorePlace store;
  std::string compose = "sequential";
  TrustOptions trust;
  bool accept_base = false;

  void declare(CLI::App& app);
  // All but --patch and --compose, for commands that name patches otherwise.
  void declare_checks(CLI::App& app);
  // How the patches are stacked; kInvalidArgument for an unknown name.
  Result<Compose> composition() const { return parse_compose(compose); }

  // Loads every patch, from its path or the store (is_patch_path), and admits it to the model in
  // `model`: in the order given, or by name where they are composed in parallel, so that the same
  // set gives the same bytes in any order. Warnings go to stderr. The base identity decides: the
  // exact file passes; another quantisation of the same weights passes with a warning; one too
  // coarse to tell is kMismatch without --accept-base; another model is kMismatch without `force`.
  // Also kInvalidArgument (the same name twice), kMismatch (two patches that exclude each other, or
  // one that lacks what it requires), kNotFound (neither a file nor a patch of the store), kDenied
  // (a patch that a channel of the store has revoked, from wherever it comes), and the errors of
  // TrustOptions::trust, load_trusted_patch and Store::load.
  Result<AdmittedStack> admit(const std::filesystem::path& model, bool force) const;
  // The same for commands that say what patches do, and not what a stack does without them:
  // kDenied, named `command`, where one of them is not there because it was revoked.
  Result<std::vector<AdmittedPatch>> admit_every(const std::filesystem::path& model, bool force,
                                                 std::string_view command) const;
};

}  // namespace llmpatch
