// Who does something, as the history has it.
#pragma once

#include <string>

namespace llmpatch {

// "user@host" of this process: the user's name, or number where it has none.
std::string current_user();

}  // namespace llmpatch
