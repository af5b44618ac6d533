// How answers look: those to conversations, and completions. Internal to serve/.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "runtime/model.h"
#include "runtime/serving_engine.h"
#include "runtime/tool_calls.h"

namespace llmpatch {

// What one of the choices came to.
struct Choice {
  std::string text;
  std::vector<TokenLogprob> logprobs, prompt_logprobs;
  ServingEnd end = ServingEnd::kStop;
};

// Makes the JSON of choices; what stands around them is the same for both forms. One answer's calls
// come one at a time.
class AnswerShape {
 public:
  virtual ~AnswerShape() = default;
  virtual const char* object() const = 0;        // of a whole answer
  virtual const char* chunk_object() const = 0;  // of an event

  // What begins a choice in a stream; null: nothing.
  virtual Json opening(std::size_t index) = 0;
  // A piece of it. `text` may be empty.
  virtual Json piece(std::size_t index, std::string_view text,
                     std::span<const TokenLogprob> logprobs) = 0;
  // Its end, with what was not sent yet.
  virtual Json closing(std::size_t index, const char* finish) = 0;
  // Whether making pieces takes longer than the engine should wait.
  virtual bool is_slow() const { return false; }
  // All of it.
  virtual Json whole(std::size_t index, const Choice& choice, const char* finish) = 0;
};

// `logprobs` as ServingRequest. The model must outlive the shape.
std::unique_ptr<AnswerShape> chat_shape(const Model& model, int logprobs);

// Of answers that may call functions; `choices` of them.
std::unique_ptr<AnswerShape> tool_shape(std::shared_ptr<const ToolParser> parser,
                                        std::size_t choices);

struct CompletionShapeOptions {
  int logprobs = -1;
  int n = 1;  // choices a prompt
  bool echo = false;
  bool drop_answer = false;     // nothing but the prompt was asked for
  std::vector<Tokens> prompts;  // as the engine got them; their text is what is echoed
  bool has_bos = false;         // they begin with a token that the client did not send
};
std::unique_ptr<AnswerShape> completion_shape(const Model& model, CompletionShapeOptions options);

}  // namespace llmpatch
