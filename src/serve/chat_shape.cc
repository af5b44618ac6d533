#include "serve/answer_shape.h"
#include "serve/token_text.h"

namespace llmpatch {
namespace {

class ChatShape : public AnswerShape {
 public:
  ChatShape(const Model& model, int logprobs) : model_(model), logprobs_(logprobs) {}

  const char* object() const override { return "chat.completion"; }
  const char* chunk_object() const override { return "chat.completion.chunk"; }

  Json opening(std::size_t index) override {
    return delta(index, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
  }
  Json piece(std::size_t index, std::string_view text,
             std::span<const TokenLogprob> logprobs) override {
    return delta(index, {{"content", text}}, logprobs_json(logprobs), nullptr);
  }
  Json closing(std::size_t index, const char* finish) override {
    return delta(index, Json::object(), nullptr, finish);
  }
  Json whole(std::size_t index, const Choice& choice, const char* finish) override {
    return {{"index", index},
            {"message", {{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}}},
            {"logprobs", logprobs_json(choice.logprobs)},
            {"finish_reason", finish}};
  }

 private:
  Json logprobs_json(std::span<const TokenLogprob> tokens) const {
    if (logprobs_ < 0) return nullptr;
    return {{"content", chat_logprobs(model_, tokens)}, {"refusal", nullptr}};
  }
  static Json delta(std::size_t index, Json delta, Json logprobs, Json finish) {
    return {{"index", index},
            {"delta", std::move(delta)},
            {"logprobs", std::move(logprobs)},
            {"finish_reason", std::move(finish)}};
  }

  const Model& model_;
  const int logprobs_;
};

}  // namespace

std::unique_ptr<AnswerShape> chat_shape(const Model& model, int logprobs) {
  return std::make_unique<ChatShape>(model, logprobs);
}

}  // namespace llmpatch
