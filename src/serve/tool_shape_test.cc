#include <gtest/gtest.h>

#include "serve/answer_shape.h"

namespace llmpatch {
namespace {

// Reads "text|name|arguments|name|arguments": what comes after a bar is a call. A text with '!' is
// no answer.
class FakeParser : public ToolParser {
 public:
  Result<ToolAnswer> parse(const std::string& text, bool) const override {
    ++times;
    if (text.find('!') != std::string::npos) {
      return make_error(ErrorKind::kCorrupt, "test", "no answer");
    }
    std::vector<std::string> parts(1);
    for (const char c : text) {
      if (c == '|') {
        parts.emplace_back();
      } else {
        parts.back() += c;
      }
    }
    ToolAnswer answer;
    answer.content = parts[0];
    for (std::size_t i = 1; i < parts.size(); i += 2) {
      answer.calls.push_back({"", parts[i], i + 1 < parts.size() ? parts[i + 1] : ""});
    }
    return answer;
  }
  mutable std::size_t times = 0;
};

// What a client that follows the stream has in the end.
struct Client {
  std::string content;
  std::vector<ToolCall> calls;
  std::string finish;

  void take(const Json& choice) {
    if (choice.is_null()) return;
    const Json& delta = choice["delta"];
    if (delta.contains("content")) content += delta["content"].get<std::string>();
    for (const Json& call : delta.value("tool_calls", Json::array())) {
      const auto index = call["index"].get<std::size_t>();
      if (call.contains("id")) {
        ASSERT_EQ(index, calls.size());
        EXPECT_EQ(call["type"], "function");
        calls.push_back({call["id"], call["function"]["name"], ""});
      }
      ASSERT_LT(index, calls.size());
      calls[index].arguments += call["function"]["arguments"].get<std::string>();
    }
    if (!choice["finish_reason"].is_null()) finish = choice["finish_reason"];
  }
};

Client streamed(const std::string& text, const char* finish) {
  const auto shape = tool_shape(std::make_shared<FakeParser>(), 1);
  Client client;
  client.take(shape->opening(0));
  for (const char& c : text) client.take(shape->piece(0, {&c, 1}, {}));
  client.take(shape->closing(0, finish));
  return client;
}

TEST(ToolShape, StreamsTextAndCalls) {
  const Client client = streamed("so:|weather|{\"a\": 1}|now|{}", "stop");
  EXPECT_EQ(client.content, "so:");
  ASSERT_EQ(client.calls.size(), 2u);
  EXPECT_EQ(client.calls[0].name, "weather");
  EXPECT_EQ(client.calls[0].arguments, "{\"a\": 1}");
  EXPECT_EQ(client.calls[1].name, "now");
  EXPECT_EQ(client.calls[1].arguments, "{}");
  EXPECT_TRUE(client.calls[0].id.starts_with("call-"));
  EXPECT_NE(client.calls[0].id, client.calls[1].id);
  EXPECT_EQ(client.finish, "tool_calls");
}

TEST(ToolShape, StreamsTextAlone) {
  const Client client = streamed("nothing to call", "stop");
  EXPECT_EQ(client.content, "nothing to call");
  EXPECT_TRUE(client.calls.empty());
  EXPECT_EQ(client.finish, "stop");
}

TEST(ToolShape, WhatIsNoAnswerStaysText) {
  EXPECT_EQ(streamed("what! |a|", "stop").content, "what! |a|");
  EXPECT_EQ(streamed("what! |a|", "stop").finish, "stop");
  // Text after a call that was sent cannot be told any more.
  EXPECT_EQ(streamed("so|f|{}!", "stop").content, "so");
}

TEST(ToolShape, ACutOffAnswerEndsByLength) {
  const Client client = streamed("|f|{\"a", "length");
  EXPECT_EQ(client.finish, "length");
  EXPECT_EQ(client.calls.at(0).arguments, "{\"a");
}

TEST(ToolShape, ReadsALongAnswerNotAtEveryToken) {
  const auto parser = std::make_shared<FakeParser>();
  const auto shape = tool_shape(parser, 1);
  Client client;
  const std::string text(100'000, 'x');
  for (const char& c : text) client.take(shape->piece(0, {&c, 1}, {}));
  client.take(shape->closing(0, "stop"));
  EXPECT_EQ(client.content, text);
  // Once for each of the first 64, then 1/64 apart: 64 + ln(100000 / 64) / ln(65 / 64), and one.
  EXPECT_LT(parser->times, 700u);
}

TEST(ToolShape, GivesAWholeAnswer) {
  const auto shape = tool_shape(std::make_shared<FakeParser>(), 1);
  Choice made;
  made.text = "|weather|{}";
  const Json choice = shape->whole(0, made, "stop");
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_TRUE(choice["message"]["content"].is_null());
  EXPECT_EQ(choice["message"]["tool_calls"][0]["function"],
            Json::parse(R"({"name": "weather", "arguments": "{}"})"));
  made.text = "no!";
  const Json text = shape->whole(0, made, "stop");
  EXPECT_EQ(text["message"]["content"], "no!");
  EXPECT_FALSE(text["message"].contains("tool_calls"));
  EXPECT_EQ(text["finish_reason"], "stop");
}

}  // namespace
}  // namespace llmpatch
