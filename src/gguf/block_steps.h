// What rounding does in each block type: the size of its steps, and requantising a few values.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"

namespace llmpatch {

// Whether `type` (a ggml_type) is one whose rounding can be reproduced from the values alone. Not:
// types that need an importance matrix, and codebook types, whose quantisers abort on odd values.
bool can_requantise(int type);

// Whether quantising to `type` searches for the best scale, so that the last bit of a float may
// decide between two that are equally good.
bool searches_scale(int type);

// The distance between neighbouring levels of `type` at each of `values`, as far as the values
// tell: for block types the same for a whole block, computed from its largest magnitude or its
// range. Never below the spacing of half precision. For a type that cannot be requantised to, half
// the largest magnitude of 256 values: such types keep 2 bits or less, or 3 in a codebook. `values`
// starts at a block boundary; the last block may be short.
std::vector<float> block_steps(int type, std::span<const float> values);

// `values` quantised to `type` and back. kInvalidArgument: a type that can_requantise refuses, or a
// number of values that is not a multiple of its block. Values must be finite.
Result<std::vector<float>> requantise(int type, std::span<const float> values);

}  // namespace llmpatch
