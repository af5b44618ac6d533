// The systems an evaluation measures side by side on the same prompts.
#pragma once

#include <string_view>

namespace llmpatch {

// M, M under a safety system prompt, M+P, and a safer reference model M'.
enum class System { kBase, kSystemPrompt, kPatched, kTeacher };
std::string_view system_name(System system);  // "base", "system-prompt", "patch", "teacher"

}  // namespace llmpatch
