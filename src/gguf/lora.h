// A LoRA adapter (Hu et al., arXiv 2106.09685) in llama.cpp's GGUF form: low-rank updates of a
// model's matrices, each named by the tensor it is added to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"

namespace llmpatch {

// What is added to a matrix [outputs, inputs]: scale * b . a.
struct LoraMatrix {
  std::string name;  // of the model's tensor, such as "blk.0.attn_q.weight"
  std::uint64_t inputs = 0, outputs = 0, rank = 0;
  std::vector<float> a;  // [rank, inputs], row-major
  std::vector<float> b;  // [outputs, rank]
};

struct Lora {
  std::string architecture;  // general.architecture of the model
  float alpha = 0;
  std::vector<LoraMatrix> matrices;

  // As libllama computes it: alpha / rank, or 1 where alpha is 0.
  float scale(const LoraMatrix& matrix) const {
    return alpha == 0 ? 1 : alpha / static_cast<float>(matrix.rank);
  }
};

// The name of an adapter's file in the directory that learning writes.
inline constexpr const char* kLoraFile = "adapter.gguf";

// Largest rank llmpatch learns or reads.
inline constexpr std::uint64_t kMaxLoraRank = 1024;

// The bytes of an adapter file that libllama loads: factors as F32, in the order of `matrices`. The
// same adapter gives the same bytes.
std::string lora_to_gguf(const Lora& lora);

// Reads an adapter from an open GGUF file, in the order of tensor names. kCorrupt: a factor without
// its other, shapes that do not fit, numbers that are not finite; kUnsupported: another kind of
// adapter (not LoRA, with invocation tokens, or of norms or the token embedding); kLimit: a rank
// beyond kMaxLoraRank.
Result<Lora> lora_from_gguf(const GgufFile& file);

// Whether every matrix of `lora` is one of `model`'s, with its shape, and both have one
// architecture: kMismatch.
Status check_lora(const Lora& lora, const GgufFile& model);

}  // namespace llmpatch
