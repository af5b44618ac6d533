// The SHA-256 of a whole file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llmpatch {

// 64 hexadecimal digits; `what` names the file's purpose in messages. Errors of MappedFile::open.
Result<std::string> sha256_of_file(const std::filesystem::path& path, std::string_view what);

}  // namespace llmpatch
