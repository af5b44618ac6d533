// A file of further systems for an evaluation (docs/suites.md).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/system.h"

namespace llmpatch {

// A system as the file says it. Its patches are only named: loading and admitting them is the
// caller's, who also checks the labels (check_systems).
struct SystemEntry {
  SystemSpec spec;                   // without patches; paths made relative to the file's folder
  std::vector<std::string> patches;  // paths, where there is such a file or a '/' in it, or names
};

// A JSON array of objects with `label` and any of `model`, `system`, `patches`, `compose`, `lora`,
// `control_vector`. kCorrupt names the system and the member that is missing, unknown or wrong;
// kInvalidArgument for an unknown `compose`; errors of read_file.
Result<std::vector<SystemEntry>> read_system_file(const std::filesystem::path& path);
Result<std::vector<SystemEntry>> parse_systems(std::string_view text,
                                               const std::filesystem::path& path);

}  // namespace llmpatch
