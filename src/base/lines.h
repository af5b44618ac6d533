// Files of lines that grow: appended to, and read back after a process that was killed.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llmpatch {

// Appends `text` to a file, making it when it is not there. kIo names the file.
Status append_text(const std::filesystem::path& path, std::string_view text);

// The lines of `text` without their line ends. A last line that has none is left out: a process was
// killed while it wrote it. Views into `text`.
std::vector<std::string_view> whole_lines(std::string_view text);

}  // namespace llmpatch
