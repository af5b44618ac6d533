// Looks at a model file's metadata before libllama does, which aborts the process on some of it.
#pragma once

#include "base/result.h"
#include "gguf/gguf_file.h"

namespace llmpatch {

// kCorrupt (a size that is missing, zero or beyond what libllama's arrays hold; a vocabulary with a
// token twice), kUnsupported (no vocabulary, an unknown kind of rope scaling).
Status check_model_file(const GgufFile& file);

}  // namespace llmpatch
