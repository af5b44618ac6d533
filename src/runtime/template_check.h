// Bounds on the chat template of a model file: the parser that reads it recurses without a limit.
#pragma once

#include <string_view>

#include "base/result.h"

namespace llmpatch {

// kLimit when the template is longer (256 KiB), a tag holds more operators (1024) or blocks nest
// deeper (100, every `elif` counted) than templates of real models come near to.
Status check_chat_template(std::string_view source);

}  // namespace llmpatch
