// The body of POST /v1/chat/completions. Internal to serve/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/chat_template.h"
#include "runtime/tool_calls.h"
#include "serve/answer_request.h"

namespace llmpatch {

struct ChatRequest : AnswerRequest {
  std::vector<Message> messages;
  std::string schema;  // JSON schema that the answer must follow; empty: none
  std::string safety_identifier;
  Json metadata;            // an object of texts, or null
  bool names_tier = false;  // the answer says which service tier it was
  // Of the functions that the answer may call; none where it must not.
  ToolUse tools;
  bool has_tool_messages = false;  // calls and their results are part of the conversation
};

// Errors as RequestFields::finish.
Result<ChatRequest> parse_chat_request(std::string_view body, const RequestLimits& limits);

}  // namespace llmpatch
