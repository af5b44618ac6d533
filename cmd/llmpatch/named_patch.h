// PATCH of a command that looks at one: its path, or its name in the store where the program has
// one.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "patch/files.h"
#include "patch/manifest.h"
#include "trust/trust.h"

namespace llmpatch {

// The files of a patch, read and not judged.
struct NamedFiles {
  PatchFiles files;
  std::filesystem::path source;    // for messages
  std::optional<Signer> recorded;  // whose signature was verified when the store took them in
};

// Whether a store lets a patch run.
struct StoreVerdict {
  bool revoked = false;          // by a channel that it follows
  std::optional<Error> refused;  // for that, or because its policy does not let it in
};

struct NamedPatch {
  std::string patch;
  std::filesystem::path store;  // empty: the user's own

  // PATCH, and --store. (The verify-only program has no store, and takes paths alone.)
  void declare(CLI::App& app);
  // Reads it; for verifying, as read_signed_files does. Errors of read_patch_files and Store::read;
  // kNotFound: neither a path nor a patch of the store.
  Result<NamedFiles> read(bool to_verify) const;
  // What the store says of the patch that `named` is, whether it is in there or not; `trust` is
  // what the command line believes. One without a signature is not refused for that. Nothing where
  // there is no store. Errors of Store::open and Store::policy.
  Result<StoreVerdict> ask_store(const NamedFiles& named, const Manifest& manifest,
                                 const Trust& trust) const;
};

}  // namespace llmpatch
