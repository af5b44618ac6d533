// Chat templates, rendered by llama.cpp's own Jinja engine so that learning, evaluation and serving
// see the very same text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

struct llama_model;

namespace llmpatch {

// A function that an answer calls.
struct ToolCall {
  std::string id, name;
  std::string arguments;  // JSON: an object

  bool operator==(const ToolCall&) const = default;
};

struct Message {
  std::string role;  // "system", "user", "assistant" or "tool"
  std::string content;
  std::vector<ToolCall> tool_calls = {};  // of an assistant's
  std::string tool_call_id = {};          // of a tool's: the call whose result it is
  std::string tool_name = {};             // and the function that was called

  bool operator==(const Message&) const = default;
};

// A run of rendered text. Text that came from a message must be tokenised without parsing control
// tokens, so that a user cannot write "<|im_end|>".
struct TextSpan {
  std::string text;
  bool from_message = false;
};

// Date shown by templates that print one. Fixed, so that learning and serving agree.
inline constexpr const char* kTemplateDate = "2024-07-26";

class ChatTemplate {
 public:
  // Null when the model carries no template: there is no default (llama.cpp's own default, ChatML,
  // is never used). kCorrupt when the template does not parse.
  static Result<std::unique_ptr<ChatTemplate>> from_model(const llama_model* model);
  ~ChatTemplate();

  // The conversation as the model expects it, ending with the opening of the assistant's turn when
  // `open_answer`. No BOS at the front (Model::bos adds it). kInvalidArgument when the template
  // refuses the messages. `variables` is a JSON object of further variables that the template is
  // given, such as a guard model's policy (empty: none); text in them counts as the template's own.
  // kInvalidArgument when it is none. Of messages only role and content count; tool_calls.h has
  // conversations with tools. Thread-safe.
  Result<std::vector<TextSpan>> render(const std::vector<Message>& messages, bool open_answer,
                                       const std::string& variables = {}) const;

  struct State;
  const State& state() const { return *state_; }  // chat_template_state.h

 private:
  explicit ChatTemplate(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace llmpatch
