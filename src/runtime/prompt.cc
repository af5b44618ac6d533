#include "runtime/prompt.h"

#include <algorithm>

#include "base/sha256.h"
#include "runtime/prompt_text.h"

namespace llmpatch {
namespace {

Error line_error(const std::filesystem::path& path, std::size_t line, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "prompts",
                    path.string() + " line " + std::to_string(line) + ": " + message);
}

Result<std::vector<Message>> read_messages(const Json& list, const std::string& where) {
  std::vector<Message> messages;
  for (const Json& item : list) {
    Message message;
    LLMPATCH_ASSIGN(message.role, json_string(item, "role", where));
    LLMPATCH_ASSIGN(message.content, json_string(item, "content", where));
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
      return make_error(
          ErrorKind::kCorrupt, "prompts",
          where + ": role: found '" + message.role + "', expected system, user or assistant");
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

}  // namespace

const std::string& Prompt::text() const {
  static const std::string empty;
  const auto last = std::find_if(messages.rbegin(), messages.rend(),
                                 [](const Message& message) { return message.role == "user"; });
  if (last != messages.rend()) return last->content;
  return messages.empty() ? empty : messages.back().content;
}

std::string Prompt::digest() const {
  Sha256 hash;
  for (const Message& message : messages) {
    // Lengths first, so that no two conversations have the same bytes.
    hash.update(std::to_string(message.role.size()) + ":" + message.role);
    hash.update(std::to_string(message.content.size()) + ":" + message.content);
  }
  return hash.finish();
}

Result<std::vector<Prompt>> read_prompts(const std::filesystem::path& path, std::string_view what) {
  LLMPATCH_ASSIGN(const std::vector<JsonLine> lines, read_json_lines(path, what));
  std::vector<Prompt> prompts;
  prompts.reserve(lines.size());
  for (const JsonLine& line : lines) {
    const std::string where = path.string() + " line " + std::to_string(line.number);
    const bool has_prompt = line.value.contains("prompt");
    const bool has_messages = line.value.contains("messages");
    if (has_prompt == has_messages) {
      return line_error(path, line.number,
                        std::string("found ") + (has_prompt ? "both" : "neither") +
                            " 'prompt' and 'messages', expected one of them");
    }
    Prompt prompt;
    if (has_prompt) {
      LLMPATCH_ASSIGN(std::string text, json_string(line.value, "prompt", where));
      prompt.messages.push_back({"user", std::move(text)});
    } else {
      LLMPATCH_ASSIGN(const Json list, json_array(line.value, "messages", where));
      LLMPATCH_ASSIGN(prompt.messages, read_messages(list, where));
      if (prompt.messages.empty()) {
        return line_error(path, line.number, "messages: found an empty list");
      }
    }
    prompt.fields = line.value;
    prompt.line = line.number;
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

Result<PromptFormat> parse_prompt_format(std::string_view name) {
  if (name == "chat") return PromptFormat::kChat;
  if (name == "raw") return PromptFormat::kRaw;
  return make_error(ErrorKind::kInvalidArgument, "prompts",
                    "format: found '" + std::string(name) + "', expected chat or raw");
}

PromptFormat default_prompt_format(const Model& model) {
  return model.chat_template() != nullptr ? PromptFormat::kChat : PromptFormat::kRaw;
}

std::vector<Message> chat_messages(const Prompt& prompt, std::string_view system) {
  std::vector<Message> messages;
  if (!system.empty()) messages.push_back({"system", std::string(system)});
  messages.insert(messages.end(), prompt.messages.begin(), prompt.messages.end());
  return messages;
}

Result<std::string> raw_text(const Prompt& prompt, std::string_view system) {
  if (prompt.messages.size() != 1) {
    return make_error(ErrorKind::kInvalidArgument, "prompts",
                      "format raw: found a conversation of " +
                          std::to_string(prompt.messages.size()) + " messages, expected one");
  }
  const std::string& text = prompt.messages.front().content;
  return system.empty() ? text : std::string(system) + "\n\n" + text;
}

Result<Tokens> encode_prompt(const Model& model, const Prompt& prompt, PromptFormat format,
                             std::string_view system) {
  std::vector<TextSpan> spans;
  if (format == PromptFormat::kChat) {
    if (model.chat_template() == nullptr) {
      return make_error(ErrorKind::kInvalidArgument, "prompts",
                        "format chat: " + model.path().string() + " has no chat template",
                        "use --format raw");
    }
    LLMPATCH_ASSIGN(spans, model.chat_template()->render(chat_messages(prompt, system), true));
  } else {
    LLMPATCH_ASSIGN(std::string text, raw_text(prompt, system));
    spans.push_back({std::move(text), true});
  }
  Tokens tokens = model.bos();
  LLMPATCH_ASSIGN(const Tokens text, model.tokenize(spans));
  tokens.insert(tokens.end(), text.begin(), text.end());
  return tokens;
}

}  // namespace llmpatch
