#include "eval_systems.h"

#include "base/quote.h"
#include "eval/system_file.h"

namespace llmpatch {
std::vector<EvalPatch> eval_patches(std::vector<AdmittedPatch> admitted,
                                    std::vector<std::string>& forced) {
  std::vector<EvalPatch> patches;
  for (AdmittedPatch& patch : admitted) {
    Manifest& manifest = patch.patch.manifest;
    patches.push_back(
        {manifest.name, manifest.version, manifest.files[kRowsFile], std::move(patch.patch.rows)});
    if (!patch.forced.empty()) forced.push_back(std::move(patch.forced));
  }
  return patches;
}

void EvalSystemOptions::declare(CLI::App& app) {
  app.add_option("--systems", file,
                 "Further systems to measure beside the others: a JSON file (docs/suites.md)");
  adapters.declare(app);
}

Result<FurtherSystems> EvalSystemOptions::read(const PatchOptions& patches,
                                               const std::filesystem::path& model,
                                               bool force) const {
  FurtherSystems further;
  std::vector<SystemEntry> entries;
  if (!file.empty()) {
    LLMPATCH_ASSIGN(entries, read_system_file(file));
  }
  LLMPATCH_ASSIGN(const Adapters given, adapters.adapters());
  if (!given.lora.empty()) {
    SystemSpec lora;
    lora.label = "lora";
    lora.adapters.lora = given.lora;
    entries.push_back({std::move(lora), {}});
  }
  if (given.control_vector) {
    SystemSpec steered;
    steered.label = "control-vector";
    steered.adapters.control_vector = given.control_vector;
    entries.push_back({std::move(steered), {}});
  }
  for (SystemEntry& entry : entries) {
    PatchOptions stack = patches;
    stack.patches = entry.patches;
    stack.compose = entry.spec.compose == Compose::kParallel ? "parallel" : "sequential";
    auto admitted =
        stack.admit_every(entry.spec.model.empty() ? model : entry.spec.model, force, "eval");
    if (!admitted.ok()) {
      Error error = std::move(admitted).error();
      error.message = "system " + quote(entry.spec.label) + ": " + error.message;
      return error;
    }
    entry.spec.patches = eval_patches(std::move(*admitted), further.forced);
    further.systems.push_back(std::move(entry.spec));
  }
  LLMPATCH_TRY(check_systems(further.systems));
  return further;
}

}  // namespace llmpatch
