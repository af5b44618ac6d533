// Moments, and what they say of a patch.
#pragma once

#include <ctime>
#include <string>

#include "patch/manifest.h"

namespace llmpatch {

// "2027-01-31T00:00:00Z" (is_utc_time). Two of these compare as text as they do as times (to the
// year 9999).
std::string utc_text(std::time_t time);

// Whether the patch has expired by `now`.
bool has_expired(const Manifest& manifest, std::time_t now = std::time(nullptr));

}  // namespace llmpatch
