// PATCH of a command that looks at one: its path, or its name in the store where the program has
// one.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "patch/files.h"
#include "trust/trust.h"

namespace llmpatch {

// The files of a patch, read and not judged.
struct NamedFiles {
  PatchFiles files;
  std::filesystem::path source;    // for messages
  std::optional<Signer> recorded;  // whose signature was verified when the store took them in
};

struct NamedPatch {
  std::string patch;
  std::filesystem::path store;  // empty: the user's own

  // PATCH, and --store. (The verify-only program has no store, and takes paths alone.)
  void declare(CLI::App& app);
  // Reads it; for verifying, as read_signed_files does. Errors of read_patch_files and Store::read;
  // kNotFound: neither a path nor a patch of the store.
  Result<NamedFiles> read(bool to_verify) const;
};

}  // namespace llmpatch
