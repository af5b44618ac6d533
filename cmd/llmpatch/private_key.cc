#include "private_key.h"

#include <optional>
#include <string>

#include "base/file.h"
#include "passphrase.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kMaxKeyFile = 64 * 1024;

}  // namespace

Result<PrivateKey> read_private_key(const std::filesystem::path& path,
                                    const std::filesystem::path& passphrase_file) {
  LLMPATCH_ASSIGN(const std::string pem, read_file(path, kMaxKeyFile, "private key"));
  std::optional<std::string> passphrase;
  if (is_encrypted_key(pem)) {
    LLMPATCH_ASSIGN(passphrase,
                    read_passphrase(passphrase_file, Ask::kOnce, path.filename().string()));
  }
  return PrivateKey::parse(pem, passphrase, path.string());
}

}  // namespace llmpatch
