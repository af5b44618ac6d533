// What a model is asked, before it is tokens: for models that are reached as text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/prompt.h"

namespace llmpatch {

// The conversation that kChat renders: `system`, when not empty, and the prompt's messages.
std::vector<Message> chat_messages(const Prompt& prompt, std::string_view system);

// The text that kRaw continues: the only message, after `system` and a blank line when there is
// one. kInvalidArgument: several messages.
Result<std::string> raw_text(const Prompt& prompt, std::string_view system);

}  // namespace llmpatch
