#include "learn/prompt_list.h"

#include "base/sha256.h"

namespace llmpatch {

std::string digest_of(const std::vector<Prompt>& prompts,
                      const std::vector<PromptFormat>& formats) {
  Sha256 hash;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    hash.update(prompts[i].digest());
    hash.update(formats[i] == PromptFormat::kChat ? "c" : "r");
  }
  return hash.finish();
}

OrderedJson prompt_to_json(const Prompt& prompt, PromptFormat format) {
  OrderedJson line;
  const auto& messages = prompt.messages;
  if (messages.size() == 1 && messages[0].role == "user") {
    line["prompt"] = messages[0].content;
  } else {
    line["messages"] = OrderedJson::array();
    for (const Message& message : messages) {
      line["messages"].push_back({{"role", message.role}, {"content", message.content}});
    }
  }
  line["format"] = format == PromptFormat::kChat ? "chat" : "raw";
  return line;
}

Result<PromptFormat> format_of(const Prompt& prompt, PromptFormat fallback,
                               const std::string& where) {
  if (!prompt.fields.contains("format")) return fallback;
  LLMPATCH_ASSIGN(const std::string name, json_string(prompt.fields, "format", where));
  return parse_prompt_format(name);
}

}  // namespace llmpatch
