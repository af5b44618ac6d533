// The directory that learning leaves behind for LoRA: an adapter that PEFT loads, the same one for
// llama.cpp, and how it was learned.
//
//   adapter_config.json, adapter_model.safetensors   PEFT's LoRA, for Hugging Face's module names
//   adapter.gguf                                     llama.cpp's, for the model file's tensor names
//   learned.json                                     a manifest as a patch has it
//   (patch/manifest.h),
//                                                    with the digests of the other three
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "gguf/lora.h"
#include "learn/lora_targets.h"
#include "patch/manifest.h"

namespace llmpatch {

// What PEFT wants to know beside the factors.
struct PeftModel {
  std::string base_model;  // Hugging Face id or path; empty writes null
  // llama.cpp stores the rows of q and k of llama models in another order than Hugging Face does:
  // the pairs that rotary positions turn stand next to each other instead of half a head apart.
  // 0: the order is the same.
  std::uint64_t heads = 0, kv_heads = 0;
};

// Of a model file. Errors of its metadata.
Result<PeftModel> peft_model(const GgufFile& model, const std::string& base_model);

// `matrices` are those of `lora`, in the same order.
std::string peft_config_json(const Lora& lora, const std::vector<TargetMatrix>& matrices,
                             const PeftModel& model);
std::string peft_safetensors(const Lora& lora, const std::vector<TargetMatrix>& matrices,
                             const PeftModel& model);

// As check_patch_output, for such a directory.
Status check_lora_output(const std::filesystem::path& directory, Overwrite overwrite);

// Writes the directory, whole or not at all; `manifest` is completed with the files. The same
// arguments give the same bytes. Errors of check_lora_output and check_manifest; kIo.
Status write_lora_directory(const Lora& lora, const std::vector<TargetMatrix>& matrices,
                            const PeftModel& model, Manifest manifest,
                            const std::filesystem::path& directory, Overwrite overwrite);

// The manifest in learned.json. kNotFound, kCorrupt (also when another file is not the one it
// lists), kIo.
Result<Manifest> read_lora_manifest(const std::filesystem::path& directory);

}  // namespace llmpatch
