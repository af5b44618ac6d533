// --companions: patches that `learn` learns beside. Apart from learn.cc, since the store and the
// learning room each have a type called Reference.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "patch/rows.h"

namespace llmpatch {

struct CompanionPatch {
  std::string name;    // "name@version"
  std::string digest;  // sha256 of its rows' file
  Rows rows;
};

struct CompanionPatches {
  std::vector<CompanionPatch> patches;
  bool random = false;  // rows drawn anew for each step, as one more of them
};

// Loads what the options name, each patch as if it were the only one, since companions are never
// stacked with each other. Errors of PatchOptions::admit(); kDenied for one that was revoked.
using LoadCompanions =
    std::function<Result<CompanionPatches>(const std::filesystem::path& model, bool force)>;

// Declares --companions and what is checked of a patch before it may run.
LoadCompanions declare_companions(CLI::App& app, const char* group);

}  // namespace llmpatch
