// A model file, to find out which patches belong to it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "llmpatch/export.h"
#include "llmpatch/identity.h"
#include "llmpatch/patch.h"
#include "llmpatch/result.h"

namespace llmpatch {

// Immutable: copies share one mapped file, which must not be changed meanwhile, and threads may.
class LLMPATCH_EXPORT BaseModel {
 public:
  // Opens a GGUF file and reads it whole once, for its digest. What is known to make libllama abort
  // the process is refused here, so do this before llama_model_load_from_file. kNotFound; kCorrupt;
  // kUnsupported (a version, tensor type or kind of model unknown to llmpatch, a split file);
  // kLimit; kIo.
  static Result<BaseModel> open(const std::filesystem::path& model);

  const std::string& architecture() const;  // general.architecture, such as "llama"
  std::size_t vocabulary() const;           // number of tokens

  // Whether it is the model that `patch` was made for. kCorrupt: what the patch recorded does not
  // fit what it says of itself.
  Result<IdentityMatch> match(const SafetyPatch& patch) const;

 private:
  struct State;
  explicit BaseModel(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

}  // namespace llmpatch
