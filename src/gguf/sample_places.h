// The fixed rule that chooses which weights of a model stand in its base identity.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gguf/gguf_file.h"

namespace llmpatch {

// A run of neighbouring weights inside one row. It begins and ends at block boundaries of every
// type that the tensor's width allows.
struct SamplePlace {
  const GgufTensor* tensor = nullptr;  // inside the GgufFile
  std::string kind;                    // the name without its layer: "attn_q.weight"
  std::uint64_t row = 0;
  std::uint64_t column = 0;
  std::uint64_t count = 0;  // 1 to kStretchWeights
};

// The places of rule 1 (docs/format.md), in order. They depend on names and shapes alone, never on
// types: every quantisation of a model has the same. Empty for a model without matrices.
std::vector<SamplePlace> sample_places(const GgufFile& file);

}  // namespace llmpatch
