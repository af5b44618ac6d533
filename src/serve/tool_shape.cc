#include <algorithm>
#include <utility>

#include "serve/answer_shape.h"
#include "serve/call.h"

namespace llmpatch {
namespace {

// A text is read again once it has grown by this part, so that reading a long answer as it comes
// takes a time that is in proportion to its length, all in all.
constexpr std::size_t kGrowth = 64;

// What a client was sent of a choice.
struct Sent {
  std::string text;      // of the answer, as far as it has come
  std::size_t read = 0;  // bytes of it when it was last read
  std::size_t content = 0;
  std::vector<std::string> ids;        // of calls that were begun
  std::vector<std::size_t> arguments;  // bytes of each
};

Json call_json(const ToolCall& call, const std::string& id) {
  return {{"id", id},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

std::string id_of(const ToolCall& call) { return call.id.empty() ? new_id("call") : call.id; }

// What is new of `now` where so many bytes of it were sent; nothing where it is shorter by now.
std::string rest_of(const std::string& now, std::size_t sent) {
  return now.substr(std::min(sent, now.size()));
}

class ToolShape : public AnswerShape {
 public:
  ToolShape(std::shared_ptr<const ToolParser> parser, std::size_t choices)
      : parser_(std::move(parser)), sent_(choices) {}

  const char* object() const override { return "chat.completion"; }
  const char* chunk_object() const override { return "chat.completion.chunk"; }
  bool is_slow() const override { return true; }

  Json opening(std::size_t index) override {
    return choice(index, {{"role", "assistant"}, {"content", ""}}, nullptr);
  }

  Json piece(std::size_t index, std::string_view text, std::span<const TokenLogprob>) override {
    Sent& sent = sent_.at(index);
    sent.text += text;
    if (sent.text.size() - sent.read < 1 + sent.text.size() / kGrowth) return nullptr;
    sent.read = sent.text.size();
    const Result<ToolAnswer> answer = parser_->parse(sent.text, false);
    if (!answer.ok()) return nullptr;
    Json delta = news(sent, *answer, false);
    return delta.empty() ? Json() : choice(index, std::move(delta), nullptr);
  }

  Json closing(std::size_t index, const char* finish) override {
    Sent& sent = sent_.at(index);
    const bool is_whole = finish == std::string_view("stop");
    const Result<ToolAnswer> answer = parser_->parse(sent.text, is_whole);
    if (answer.ok()) {
      Json delta = news(sent, *answer, true);
      return choice(index, std::move(delta), reason(*answer, finish));
    }
    // No answer in the model's form: what it said, as far as that can still be told.
    Json delta = Json::object();
    if (sent.ids.empty()) delta["content"] = rest_of(sent.text, sent.content);
    return choice(index, std::move(delta), finish);
  }

  Json whole(std::size_t index, const Choice& made, const char* finish) override {
    const Result<ToolAnswer> read = parser_->parse(made.text, finish == std::string_view("stop"));
    const ToolAnswer answer = read.ok() ? *read : ToolAnswer{made.text, {}};
    Json message = {{"role", "assistant"}, {"content", answer.content}, {"refusal", nullptr}};
    if (!answer.calls.empty()) {
      if (answer.content.empty()) message["content"] = nullptr;
      message["tool_calls"] = Json::array();
      for (const ToolCall& call : answer.calls) {
        message["tool_calls"].push_back(call_json(call, id_of(call)));
      }
    }
    return {{"index", index},
            {"message", std::move(message)},
            {"logprobs", nullptr},
            {"finish_reason", reason(answer, finish)}};
  }

 private:
  static const char* reason(const ToolAnswer& answer, const char* finish) {
    const bool calls = !answer.calls.empty() && finish == std::string_view("stop");
    return calls ? "tool_calls" : finish;
  }

  // The delta from what was sent. A call is begun once its name is known for sure: it has
  // arguments, or is not the last.
  static Json news(Sent& sent, const ToolAnswer& answer, bool is_last) {
    Json delta = Json::object();
    if (answer.content.size() > sent.content) {
      delta["content"] = rest_of(answer.content, sent.content);
      sent.content = answer.content.size();
    }
    Json calls = Json::array();
    for (std::size_t i = 0; i < answer.calls.size(); ++i) {
      const ToolCall& call = answer.calls[i];
      const bool is_sure = is_last || !call.arguments.empty() || i + 1 < answer.calls.size();
      if (!is_sure) break;
      if (i == sent.ids.size()) {
        sent.ids.push_back(id_of(call));
        sent.arguments.push_back(call.arguments.size());
        Json begun = call_json(call, sent.ids.back());
        begun["index"] = i;
        calls.push_back(std::move(begun));
      } else if (call.arguments.size() > sent.arguments[i]) {
        calls.push_back(
            {{"index", i},
             {"function", {{"arguments", rest_of(call.arguments, sent.arguments[i])}}}});
        sent.arguments[i] = call.arguments.size();
      }
    }
    if (!calls.empty()) delta["tool_calls"] = std::move(calls);
    return delta;
  }

  static Json choice(std::size_t index, Json delta, Json finish) {
    return {{"index", index},
            {"delta", std::move(delta)},
            {"logprobs", nullptr},
            {"finish_reason", std::move(finish)}};
  }

  const std::shared_ptr<const ToolParser> parser_;
  std::vector<Sent> sent_;
};

}  // namespace

std::unique_ptr<AnswerShape> tool_shape(std::shared_ptr<const ToolParser> parser,
                                        std::size_t choices) {
  return std::make_unique<ToolShape>(std::move(parser), choices);
}

}  // namespace llmpatch
