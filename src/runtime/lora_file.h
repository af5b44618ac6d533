// LoRA adapters from outside, checked against the model they are for: libllama's loader aborts the
// process on metadata of another type, and its graphs do on shapes they were not made for.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "gguf/gguf_file.h"

namespace llmpatch {

// The adapter in the file `path` as a GGUF file in memory that holds nothing but what was checked
// against `model`. kNotFound and the other errors of GgufFile::open; kInvalidArgument: no adapter,
// but another kind of GGUF file; kMismatch: for another architecture, or for tensors or shapes that
// the model does not have; kCorrupt: a pair without its other half, shapes that do not fit each
// other, values that are not finite, or no pair at all; kUnsupported: what libllama would leave
// out or abort on (adapters that wait for a token, changes of norms, of tied embeddings, tensor
// types that no converter writes).
Result<std::string> read_lora(const std::filesystem::path& path, const GgufFile& model);

}  // namespace llmpatch
