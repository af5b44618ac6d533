// The matrices that LoRA may update, by the short names that people use.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"

namespace llmpatch {

struct LoraTarget {
  const char* name;    // "q"
  const char* tensor;  // in the model file: blk.N.<tensor>.weight
  const char* module;  // in a Hugging Face model: model.layers.N.<module>
};

// Attention's q, k, v, o, then the feed-forward's gate, up, down.
std::span<const LoraTarget> lora_targets();

// One of the model's matrices [outputs, inputs] that will be updated.
struct TargetMatrix {
  const LoraTarget* target;
  std::int64_t layer;
  std::int64_t outputs, inputs;

  std::string tensor_name() const;
};

// Whether `names` are targets, none twice: kInvalidArgument names those there are.
Status check_lora_targets(const std::vector<std::string>& names);

// The targets called `names` in every layer of `model`, layer by layer, in the order of
// lora_targets(). kInvalidArgument when `rank` is larger than a side of one of them; kUnsupported
// when the model has no such matrices of their own (its attention may be fused into one).
Result<std::vector<TargetMatrix>> find_target_matrices(const GgufFile& model,
                                                       const std::vector<std::string>& names,
                                                       std::int64_t rank);

}  // namespace llmpatch
