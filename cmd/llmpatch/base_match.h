// Whether a patch belongs to a model. base_match.cc is built where models can be read, no_models.cc
// elsewhere.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "patch/base_identity.h"
#include "patch/patch.h"

namespace llmpatch {

// The verdict on the GGUF file `model` as the base of `patch`. kUnsupported in a program that reads
// no models; the errors of GgufFile::open and match_identity.
Result<IdentityMatch> match_base(const Patch& patch, const std::filesystem::path& model);

}  // namespace llmpatch
