// The sampled weights of a model, and how those of two models compare.
#pragma once

#include "base/result.h"
#include "gguf/sample_places.h"
#include "patch/base_identity.h"

namespace llmpatch {

// The blocks at `place` as the file holds them. kCorrupt when a weight is not finite; kUnsupported
// for a type without a float form.
Result<SampleStretch> read_stretch(const SamplePlace& place);

// Compares `recorded`, from another file, with the weights at `place`. kUnsupported when ggml does
// not know the recorded type; kCorrupt when its bytes are not place.count finite weights; the
// failures of read_stretch.
Result<StretchEvidence> compare_stretch(const SamplePlace& place, const SampleStretch& recorded);

}  // namespace llmpatch
