#include "api/base_model.h"

#include <utility>

#include "api/safety_patch.h"
#include "gguf/identity.h"
#include "runtime/model_check.h"

namespace llmpatch {

BaseModel::BaseModel(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Result<BaseModel> BaseModel::open(const std::filesystem::path& model) {
  LLMPATCH_ASSIGN(GgufFile file, GgufFile::open(model));
  LLMPATCH_TRY(check_model_file(file));
  LLMPATCH_ASSIGN(BaseIdentity identity, compute_identity(file));
  // check_model_file has seen them.
  const auto& tokens =
      std::get<std::vector<std::string>>(file.metadata().at("tokenizer.ggml.tokens"));
  const std::size_t vocabulary = tokens.size();
  return BaseModel(
      std::make_shared<const State>(State{std::move(file), std::move(identity), vocabulary}));
}

const std::string& BaseModel::architecture() const { return state_->identity.architecture; }

std::size_t BaseModel::vocabulary() const { return state_->vocabulary; }

Result<IdentityMatch> BaseModel::match(const SafetyPatch& patch) const {
  return match_identity(patch.state_->patch.manifest.base, state_->file, state_->identity);
}

}  // namespace llmpatch
