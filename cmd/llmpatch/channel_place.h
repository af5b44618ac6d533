// Channels as the command line names them.
#pragma once

#include <string>

#include "base/result.h"

namespace llmpatch {

// What a store knows the channel by: an address without a slash at its end, or the absolute path of
// a folder. kInvalidArgument: an address that is none.
Result<std::string> channel_place(const std::string& text);

}  // namespace llmpatch
