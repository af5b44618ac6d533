// The small words of a patch: what a name, a version and a time may look like.
#pragma once

#include <cstddef>
#include <string_view>

namespace llmpatch {

// Longest name, and longest version, in bytes.
inline constexpr std::size_t kMaxNameLength = 64;
inline constexpr std::size_t kMaxVersionLength = 64;

// True for [a-z0-9][a-z0-9._-]* of at most kMaxNameLength bytes: safe as a file name, a repository
// name and a label, on every system.
bool is_patch_name(std::string_view text);

// True for a version as SemVer 2.0.0 defines it ("1.0.0", "2.1.0-rc.1+build.5"), at most
// kMaxVersionLength bytes.
bool is_semver(std::string_view text);

// True for "name@version", both as above.
bool is_patch_reference(std::string_view text);

// True for a UTC time of RFC 3339 to the second, "2027-01-31T00:00:00Z", that is a date of the
// calendar.
bool is_utc_time(std::string_view text);

}  // namespace llmpatch
