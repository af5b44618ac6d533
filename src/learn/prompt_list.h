// Prompts with their text forms, as they are recorded and compared.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "runtime/prompt.h"

namespace llmpatch {

struct PromptList {
  std::vector<Prompt> prompts;
  std::vector<PromptFormat> formats;  // one a prompt
};

// What tells lists apart: of every prompt's digest and form, in order.
std::string digest_of(const std::vector<Prompt>& prompts, const std::vector<PromptFormat>& formats);

// The members `prompt` (or `messages`) and `format` of a line that read_prompts() takes.
OrderedJson prompt_to_json(const Prompt& prompt, PromptFormat format);

// The form that a line says its prompt has; `fallback` where it says none. `where` names the line.
Result<PromptFormat> format_of(const Prompt& prompt, PromptFormat fallback,
                               const std::string& where);

}  // namespace llmpatch
