// The sampled weights of a model, and how those of two models compare.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/sample_places.h"
#include "patch/base_identity.h"

namespace llmpatch {

// The weights at `place`, rounded to half precision. kCorrupt when one is not finite then;
// kUnsupported for a type without a float form.
Result<std::vector<std::uint16_t>> read_weights(const SamplePlace& place);

// Compares `recorded`, weights of type `recorded_type` in another file, with `actual`, the ones at
// `place` here. Both hold place.count finite values. kInternal when ggml refuses the type.
Result<StretchEvidence> compare_weights(const SamplePlace& place, const std::string& recorded_type,
                                        std::span<const std::uint16_t> recorded,
                                        std::span<const std::uint16_t> actual);

}  // namespace llmpatch
