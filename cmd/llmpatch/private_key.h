// Private keys that commands sign with.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "trust/key.h"

namespace llmpatch {

// Reads a private key, and asks for its passphrase where it is encrypted: the first line of
// `passphrase_file`, or what is typed at the terminal without one. Errors of read_file,
// read_passphrase and PrivateKey::parse.
Result<PrivateKey> read_private_key(const std::filesystem::path& path,
                                    const std::filesystem::path& passphrase_file);

}  // namespace llmpatch
