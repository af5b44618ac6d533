// Which patches may work together: what their manifests say about each other.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "patch/manifest.h"

namespace llmpatch {

// "patch name version", as messages call one.
std::string patch_title(const Manifest& manifest);

// Whether these patches may be stacked, in any order. kInvalidArgument: the same name twice.
// kMismatch: one excludes another (`compose.conflicts`), or one requires a patch that is not among
// them, or not in a version that will do (`requires`).
Status check_stack(const std::vector<Manifest>& stack);

}  // namespace llmpatch
