// The base identity of a model file (patch/base_identity.h says what it is; docs/format.md has the
// rule byte for byte).
#pragma once

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "patch/base_identity.h"

namespace llmpatch {

// The identity of `file`; reads it whole once. kCorrupt: no architecture, or a sampled weight that
// is not finite; kUnsupported: a sampled tensor of a type without a float form. Deterministic,
// thread-safe.
Result<BaseIdentity> compute_identity(const GgufFile& file);

// Whether `candidate` is the model that `recorded` describes. The same failures as
// compute_identity; kCorrupt when the recorded sample does not fit the shapes it claims to have.
Result<IdentityMatch> match_identity(const BaseIdentity& recorded, const GgufFile& candidate);
// The same for a candidate whose identity is known.
Result<IdentityMatch> match_identity(const BaseIdentity& recorded, const GgufFile& candidate,
                                     const BaseIdentity& identity);

}  // namespace llmpatch
