#include "patch/stack.h"

#include <algorithm>

#include "patch/semver.h"

namespace llmpatch {
namespace {

// Nothing of `stack` is named like `patch` but itself, and nothing is excluded by it.
Status check_others(const std::vector<Manifest>& stack, const Manifest& patch) {
  for (const Manifest& other : stack) {
    if (&other == &patch) continue;
    if (patch.name == other.name) {
      return make_error(ErrorKind::kInvalidArgument, "patch",
                        "patch " + other.name + ": found twice, expected once");
    }
    const auto& conflicts = patch.compose.conflicts;
    if (std::find(conflicts.begin(), conflicts.end(), other.name) != conflicts.end()) {
      return make_error(ErrorKind::kMismatch, "patch",
                        patch_title(patch) + ": excludes patch " + other.name,
                        "use one of the two");
    }
  }
  return {};
}

Status check_requirement(const std::vector<Manifest>& stack, const Manifest& patch,
                         const std::string& required) {
  LLMPATCH_ASSIGN(const Requirement requirement, parse_requirement(required));
  std::string found = "none";
  for (const Manifest& other : stack) {
    if (requirement.is_met_by(other.name, other.version)) return {};
    if (other.name == requirement.name) found = other.version;
  }
  return make_error(ErrorKind::kMismatch, "patch",
                    patch_title(patch) + ": requires " + required + ": found " + found,
                    "use it together with " + required);
}

}  // namespace

std::string patch_title(const Manifest& manifest) {
  return "patch " + manifest.name + " " + manifest.version;
}

Status check_stack(const std::vector<Manifest>& stack) {
  for (const Manifest& patch : stack) LLMPATCH_TRY(check_others(stack, patch));
  for (const Manifest& patch : stack) {
    for (const std::string& required : patch.required) {
      LLMPATCH_TRY(check_requirement(stack, patch, required));
    }
  }
  return {};
}

}  // namespace llmpatch
