// How a patch and a model go together. base_match.cc is built where models can be read,
// no_models.cc elsewhere.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "patch/base_identity.h"
#include "patch/patch.h"

namespace llmpatch {

// The verdict on the GGUF file `model` as the base of `patch`. kUnsupported in a program that reads
// no models; the errors of GgufFile::open and match_identity.
Result<IdentityMatch> match_base(const Patch& patch, const std::filesystem::path& model);

// Where the rows of a patch lie among the embeddings of a model: for scripts, for people, and what
// to warn of (empty: nothing).
struct RowsOnModel {
  Json json;
  std::string text, warning;
};

// kUnsupported as above; the errors of Model::load and find_neighbours.
Result<RowsOnModel> rows_on_model(const Patch& patch, const std::filesystem::path& model);

}  // namespace llmpatch
