// The body of POST /v1/completions. Internal to serve/.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "serve/answer_request.h"

namespace llmpatch {

struct CompletionRequest : AnswerRequest {
  // Texts, or token ids below the vocabulary's size.
  std::vector<std::variant<std::string, Tokens>> prompts;
  bool echo = false;
};

// Errors as RequestFields::finish.
Result<CompletionRequest> parse_completion_request(std::string_view body,
                                                   const RequestLimits& limits);

}  // namespace llmpatch
