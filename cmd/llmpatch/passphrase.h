// Passphrases of private keys: from a file, or asked on the terminal.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace llmpatch {

enum class Ask { kOnce, kTwice };

// The first line of `file`; without a file, what the user types at the terminal without an echo,
// twice the same when a new one is chosen. Nothing without either. kInvalidArgument: an empty file,
// or two entries that differ; kLimit: longer than 1 KiB; the errors of read_file; kCancelled: the
// terminal was closed.
Result<std::optional<std::string>> read_passphrase(const std::filesystem::path& file, Ask ask,
                                                   const std::string& key_name);

}  // namespace llmpatch
