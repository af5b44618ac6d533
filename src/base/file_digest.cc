#include "base/file_digest.h"

#include "base/file.h"
#include "base/sha256.h"

namespace llmpatch {

Result<std::string> sha256_of_file(const std::filesystem::path& path, std::string_view what) {
  LLMPATCH_ASSIGN(const MappedFile file, MappedFile::open(path, what));
  return sha256_hex(file.bytes());
}

}  // namespace llmpatch
