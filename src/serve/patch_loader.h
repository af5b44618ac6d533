// Reads the patches that a server runs: those it was given by path, and those of the store.
// Internal to serve/.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "distribution/store.h"
#include "gguf/admission.h"
#include "gguf/gguf_file.h"
#include "runtime/serving_engine.h"
#include "serve/patch_table.h"
#include "trust/load.h"

namespace llmpatch {

struct PatchSources {
  std::filesystem::path model;                      // that the patches must belong to
  std::vector<std::string> patches;                 // as --patch: paths, or names of the store
  std::function<bool(const std::string&)> is_path;  // which of the two one is
  std::filesystem::path store;                      // its folder; none need be there
  // Read anew at each load, so that keys and policies may change.
  std::function<Result<Trust>()> trust;
  AllowUnsigned allow_unsigned = AllowUnsigned::kNo;
  AdmissionRules admission;
  std::map<std::string, NamedStack> stacks;
  Compose compose = Compose::kSequential;
  bool allow_unpatched = false;  // requests may run the model alone, and do where none is active
};

// Makes the table of all patches there are. What `before` (may be null) has of the same contents
// keeps its place in the engine, and the requests of the next table share its cache. A patch that
// cannot be loaded, is not trusted any more or was revoked stands in the table with its error.
// Fails where the sources as a whole cannot be read: the store (locked, damaged, of others, or gone
// since `before`), the trust, the model's file, a path of which not even the name is known.
Result<std::shared_ptr<const PatchTable>> load_patches(const PatchSources& sources,
                                                       ServingEngine& engine,
                                                       const PatchTable* before);

}  // namespace llmpatch
