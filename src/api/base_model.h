// What stands behind the public BaseModel.
#pragma once

#include <cstddef>

#include "gguf/gguf_file.h"
#include "llmpatch/base_model.h"
#include "patch/base_identity.h"

namespace llmpatch {

struct BaseModel::State {
  GgufFile file;
  BaseIdentity identity;
  std::size_t vocabulary = 0;
};

}  // namespace llmpatch
