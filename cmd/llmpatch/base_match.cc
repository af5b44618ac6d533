#include "base_match.h"

#include "gguf/gguf_file.h"
#include "gguf/identity.h"

namespace llmpatch {

Result<IdentityMatch> match_base(const Patch& patch, const std::filesystem::path& model) {
  LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(model));
  return match_identity(patch.manifest.base, file);
}

}  // namespace llmpatch
