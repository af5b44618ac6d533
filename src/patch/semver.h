// Versions compared as SemVer 2.0.0 orders them, and what one patch may require of another.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace llmpatch {

// Less than zero, zero or more than zero as `a` comes before, with or after `b` in SemVer's order
// of precedence, which leaves build metadata out. Both must be is_semver.
int compare_semver(std::string_view a, std::string_view b);

// Whether `version` is one that "^`from`" stands for: not before `from`, and the same up to and
// including the leftmost number of `from` that is not zero (^1.2.3 is 1.2.3 up to 2.0.0, ^0.2.3 up
// to 0.3.0, ^0.0.3 is 0.0.3 alone). A pre-release only where `from` is one of the same three
// numbers. Both must be is_semver.
bool in_caret_range(std::string_view version, std::string_view from);

// An entry of the manifest's `requires`: another patch, in some versions.
struct Requirement {
  std::string name;
  std::string version;  // empty: any
  bool caret = false;   // from `version` on, as in_caret_range; else exactly `version`

  bool is_met_by(std::string_view other_name, std::string_view other_version) const;
};

// Reads "name", "name@1.2.3" or "name@^1.2.3". kInvalidArgument for anything else.
Result<Requirement> parse_requirement(std::string_view text);

// Whether parse_requirement takes it.
bool is_requirement(std::string_view text);

}  // namespace llmpatch
