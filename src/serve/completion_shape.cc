#include <utility>

#include "serve/answer_shape.h"
#include "serve/token_text.h"

namespace llmpatch {
namespace {

class CompletionShape : public AnswerShape {
 public:
  CompletionShape(const Model& model, CompletionShapeOptions options)
      : model_(model),
        options_(std::move(options)),
        offsets_(options_.prompts.size() * static_cast<std::size_t>(options_.n)) {}

  const char* object() const override { return "text_completion"; }
  const char* chunk_object() const override { return "text_completion"; }

  Json opening(std::size_t index) override {
    if (!options_.echo) return nullptr;
    return choice(index, prompt_text(index), nullptr, nullptr);
  }
  Json piece(std::size_t index, std::string_view text,
             std::span<const TokenLogprob> logprobs) override {
    if (options_.drop_answer) return nullptr;
    return choice(index, text, logprobs_json(index, logprobs, false), nullptr);
  }
  Json closing(std::size_t index, const char* finish) override {
    return choice(index, "", nullptr, finish);
  }
  Json whole(std::size_t index, const Choice& made, const char* finish) override {
    std::string text;
    std::vector<TokenLogprob> logprobs;
    if (options_.echo) {
      text = prompt_text(index);
      logprobs = made.prompt_logprobs;
      if (options_.has_bos && !logprobs.empty()) logprobs.erase(logprobs.begin());
    }
    if (!options_.drop_answer) {
      text += made.text;
      logprobs.insert(logprobs.end(), made.logprobs.begin(), made.logprobs.end());
    }
    return choice(index, text, logprobs_json(index, logprobs, options_.echo && !options_.has_bos),
                  finish);
  }

 private:
  // Control tokens such as the beginning of text are no part of what a client sent.
  std::string prompt_text(std::size_t index) const {
    return model_.text(options_.prompts.at(index / static_cast<std::size_t>(options_.n)));
  }
  Json logprobs_json(std::size_t index, std::span<const TokenLogprob> tokens, bool has_first) {
    if (options_.logprobs < 0) return nullptr;
    return completion_logprobs(model_, tokens, options_.logprobs > 0, has_first,
                               offsets_.at(index));
  }
  static Json choice(std::size_t index, std::string_view text, Json logprobs, Json finish) {
    return {{"index", index},
            {"text", text},
            {"logprobs", std::move(logprobs)},
            {"finish_reason", std::move(finish)}};
  }

  const Model& model_;
  const CompletionShapeOptions options_;
  std::vector<std::size_t> offsets_;  // in characters, of each choice's next token
};

}  // namespace

std::unique_ptr<AnswerShape> completion_shape(const Model& model, CompletionShapeOptions options) {
  return std::make_unique<CompletionShape>(model, std::move(options));
}

}  // namespace llmpatch
