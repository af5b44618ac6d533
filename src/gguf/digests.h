// The digests of the base identity: what every quantisation of a model has in common. The hashed
// bytes are written down in docs/format.md.
#pragma once

#include <string>

#include "gguf/gguf_file.h"

namespace llmpatch {

// Each is a SHA-256 as 64 hexadecimal digits. Thread-safe.

// Of every tensor's name and dimensions, whatever their types and order in the file.
std::string shapes_digest(const GgufFile& file);
// Of the metadata that turns text into token ids.
std::string tokenizer_digest(const GgufFile& file);
// Of the names and bytes of all one-dimensional F32 tensors: norms and biases.
std::string vectors_digest(const GgufFile& file);

}  // namespace llmpatch
