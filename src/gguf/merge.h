// A model file with a LoRA adapter merged into its weights: runs anywhere a model does, at the cost
// of the model alone.
#pragma once

#include <filesystem>
#include <string>

#include "base/cancel.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/result.h"
#include "gguf/gguf_file.h"
#include "gguf/lora.h"

namespace llmpatch {

enum class MergedType { kF16, kF32 };  // what updated matrices are written in

// Writes `out`: `model` with every matrix that `lora` updates as `type`, dequantised and the update
// added, and everything else byte for byte as it is. `lora_sha256` names the adapter's file in a
// key of its own, by which a second merge of it is refused. The same arguments give the same bytes;
// `out` appears whole or not at all. Errors of check_lora; kInvalidArgument: merged already, or a
// weight too large for `type`; kExists; kCancelled; kIo. `progress` counts tensors.
Status merge_lora(const GgufFile& model, const Lora& lora, const std::string& lora_sha256,
                  MergedType type, const std::filesystem::path& out, Overwrite overwrite,
                  const CancelFlag* cancel = nullptr, const ProgressFn& progress = {});

}  // namespace llmpatch
