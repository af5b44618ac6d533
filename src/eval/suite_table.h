// The built-in suites. Internal to eval/.
#pragma once

#include <filesystem>
#include <span>

#include "eval/suite.h"

namespace llmpatch {

// All of them, their paths relative to the data directory.
std::span<const Suite> built_in_suites();

// `suite` with its paths, where it has them, taken as relative to `directory`.
Suite under(Suite suite, const std::filesystem::path& directory);

}  // namespace llmpatch
