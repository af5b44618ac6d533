// The further systems of an evaluation: --systems, --lora and --control-vector.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "adapter_options.h"
#include "base/result.h"
#include "eval/system.h"
#include "patch_options.h"

namespace llmpatch {

// Further systems, their patches loaded and admitted.
struct FurtherSystems {
  std::vector<SystemSpec> systems;
  std::vector<std::string> forced;  // lines that every output repeats (AdmittedPatch::forced)
};

struct EvalSystemOptions {
  std::filesystem::path file;
  AdapterOptions adapters;

  void declare(CLI::App& app);
  // Those of the file in its order, then `lora` (the model with every --lora) and `control-vector`.
  // Patches are loaded and admitted as `patches` says, to the model they run on: that of the entry,
  // else `model`. Errors of read_system_file, AdapterOptions::adapters and PatchOptions::admit,
  // those of a system with its label; kDenied where a patch was revoked.
  Result<FurtherSystems> read(const PatchOptions& patches, const std::filesystem::path& model,
                              bool force) const;
};

// Admitted patches as an evaluation takes them; what was said of them by force is added to
// `forced`.
std::vector<EvalPatch> eval_patches(std::vector<AdmittedPatch> admitted,
                                    std::vector<std::string>& forced);

}  // namespace llmpatch
