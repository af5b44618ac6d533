// Prompts: what a user asks, as read from JSON lines, and its tokens in chat or raw form.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "runtime/chat_template.h"
#include "runtime/model.h"

namespace llmpatch {

enum class PromptFormat { kChat, kRaw };

struct Prompt {
  std::vector<Message> messages;  // a plain prompt is one user message
  Json fields;                    // the whole JSON line, kept for output
  std::size_t line = 0;           // where it stood, for messages

  // The last user message: what a judge is shown, and what overlap checks compare.
  const std::string& text() const;
  // sha256 of the messages: keys random numbers and caches.
  std::string digest() const;
};

// Reads a JSON-lines file whose lines have `prompt` (text) or `messages` ([{role, content}]).
// Errors name the line. kCorrupt for a line with neither or both, an unknown role or an empty list.
Result<std::vector<Prompt>> read_prompts(const std::filesystem::path& path, std::string_view what);

// "chat" or "raw"; kInvalidArgument otherwise.
Result<PromptFormat> parse_prompt_format(std::string_view name);
// kChat where the model has a template, else kRaw.
PromptFormat default_prompt_format(const Model& model);

// Tokens to decode (BOS included, exactly one where the model wants it). kChat renders the model's
// template with `system` (when not empty) as first message, opening the assistant's turn; kRaw
// continues the text of the only message, after `system` and a blank line when there is one.
// kInvalidArgument: kChat without a template, kRaw with several messages.
Result<Tokens> encode_prompt(const Model& model, const Prompt& prompt, PromptFormat format,
                             std::string_view system = {});

}  // namespace llmpatch
