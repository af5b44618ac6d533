// When and by whom something is done, as the history has it.
#pragma once

#include <ctime>
#include <string>

namespace llmpatch {

// "2027-01-31T00:00:00Z". Two of these compare as text as they do as times (to the year 9999).
std::string utc_text(std::time_t time);

// "user@host" of this process: the user's name, or number where it has none.
std::string current_user();

}  // namespace llmpatch
