// Any bytes as the body of a request to the API. A schema that comes with it becomes a grammar that
// the engine's own check can read; a text is also read as a patch's reference and as a model's id.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runtime/grammar_check.h"
#include "runtime/json_schema.h"
#include "serve/chat_request.h"
#include "serve/completion_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace llmpatch;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const RequestLimits limits{100, 1000};
  (void)parse_completion_request(body, limits).ok();
  (void)parse_patch_reference(body).ok();
  (void)parse_named_stack(body).ok();
  (void)parse_model_id(body, "m").has_value();
  const auto chat = parse_chat_request(body, limits);
  if (!chat.ok() || chat->schema.empty()) return 0;
  const auto grammar = json_schema_grammar(chat->schema);
  if (grammar.ok()) (void)check_grammar(*grammar).ok();
  return 0;
}
