// The llama architecture: Llama 2 and 3, Mistral, Vicuna, TinyLlama, SmolLM2.
#pragma once

#include <memory>

#include "learn/transformer.h"

namespace llmpatch {

// Pre-norm residual blocks with RMS norm, grouped-query attention, rotary positions on adjacent
// pairs (optionally with Llama 3's frequency factors) and SwiGLU. Optional biases and fused
// attn_qkv tensors are understood; a mixture of experts or a RoPE scaling is kUnsupported.
Result<std::unique_ptr<Transformer>> load_llama(const GgufFile& file, Arithmetic arithmetic);

}  // namespace llmpatch
