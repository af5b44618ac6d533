#include "serve/chat_request.h"

#include <gtest/gtest.h>

#include "serve/api_error.h"

namespace llmpatch {
namespace {

constexpr RequestLimits kLimits{100, 1000};

// A body that is fine, with `fields` besides.
std::string body(const std::string& fields) {
  return R"({"model": "m", "messages": [{"role": "user", "content": "Hi"}])" +
         (fields.empty() ? "" : ", " + fields) + "}";
}

ChatRequest parsed(const std::string& fields) {
  Result<ChatRequest> request = parse_chat_request(body(fields), kLimits);
  EXPECT_TRUE(request.ok()) << fields << ": " << (request.ok() ? "" : request.error().to_string());
  return request.ok() ? *request : ChatRequest{};
}

// "param code" of the answer to a body.
std::string refusal_of(const std::string& text) {
  const Result<ChatRequest> request = parse_chat_request(text, kLimits);
  if (request.ok()) return "none";
  const ApiError error = field_error(request.error());
  EXPECT_EQ(error.status, 400);
  return error.param + " " + error.code;
}
std::string refusal(const std::string& fields) { return refusal_of(body(fields)); }

TEST(ChatRequest, HasDefaults) {
  const ChatRequest request = parsed("");
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.messages, (std::vector<Message>{{"user", "Hi"}}));
  EXPECT_EQ(request.sampling.base.temperature, 0);
  EXPECT_EQ(request.sampling.base.top_p, 1);
  EXPECT_EQ(request.n, 1);
  EXPECT_FALSE(request.max_tokens);
  EXPECT_FALSE(request.seed);
  EXPECT_EQ(request.logprobs, -1);
  EXPECT_FALSE(request.stream);
  EXPECT_FALSE(request.stack.patches);
  EXPECT_FALSE(request.stack.compose);
  EXPECT_TRUE(request.schema.empty());
}

TEST(ChatRequest, HonoursSampling) {
  const ChatRequest request = parsed(
      R"("temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1, "presence_penalty": -2,
         "frequency_penalty": 2, "logit_bias": {"7": -100, "999": 3.5}, "seed": -5, "n": 3)");
  EXPECT_FLOAT_EQ(request.sampling.base.temperature, 0.5F);
  EXPECT_FLOAT_EQ(request.sampling.base.top_p, 0.9F);
  EXPECT_EQ(request.sampling.base.top_k, 40);
  EXPECT_FLOAT_EQ(request.sampling.min_p, 0.1F);
  EXPECT_FLOAT_EQ(request.sampling.presence_penalty, -2);
  EXPECT_FLOAT_EQ(request.sampling.frequency_penalty, 2);
  EXPECT_EQ(request.sampling.logit_bias, (std::map<Token, float>{{7, -100.F}, {999, 3.5F}}));
  EXPECT_EQ(request.seed, -5);
  EXPECT_EQ(request.n, 3);
}

TEST(ChatRequest, HonoursWhatEndsAnAnswer) {
  EXPECT_EQ(parsed(R"("stop": "a")").stop, std::vector<std::string>{"a"});
  EXPECT_EQ(parsed(R"("stop": ["a", "b"])").stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(parsed(R"("max_tokens": 5)").max_tokens, 5);
  EXPECT_EQ(parsed(R"("max_completion_tokens": 100)").max_tokens, 100);
}

TEST(ChatRequest, HonoursLogprobs) {
  EXPECT_EQ(parsed(R"("logprobs": true)").logprobs, 0);
  EXPECT_EQ(parsed(R"("logprobs": true, "top_logprobs": 20)").logprobs, 20);
  EXPECT_EQ(parsed(R"("logprobs": false)").logprobs, -1);
}

TEST(ChatRequest, HonoursStreaming) {
  const ChatRequest request = parsed(
      R"("stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false})");
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.include_usage);
}

TEST(ChatRequest, HonoursPatches) {
  const ChatRequest request =
      parsed(R"("patches": ["a", "b@1.2.3", "c@^1"], "compose": "parallel")");
  ASSERT_TRUE(request.stack.patches);
  ASSERT_EQ(request.stack.patches->size(), 3U);
  EXPECT_EQ((*request.stack.patches)[0].name, "a");
  EXPECT_EQ((*request.stack.patches)[1].version, "1.2.3");
  EXPECT_EQ((*request.stack.patches)[2].version, "1.0.0");
  EXPECT_TRUE((*request.stack.patches)[2].caret);
  EXPECT_EQ(request.stack.compose, Compose::kParallel);
  const ChatRequest none = parsed(R"("patches": [])");
  ASSERT_TRUE(none.stack.patches);
  EXPECT_TRUE(none.stack.patches->empty());
}

TEST(ChatRequest, TakesSchemasInTheirOrder) {
  EXPECT_TRUE(parsed(R"("response_format": {"type": "text"})").schema.empty());
  EXPECT_EQ(parsed(R"("response_format": {"type": "json_object"})").schema,
            R"({"type": "object"})");
  EXPECT_EQ(parsed(R"("response_format": {"type": "json_schema", "json_schema": {"name": "n",
                      "strict": true, "schema": {"type": "object", "properties":
                      {"z": {}, "a": {}}}}})")
                .schema,
            R"({"type":"object","properties":{"z":{},"a":{}}})");
}

TEST(ChatRequest, JoinsPartsAndKnowsDevelopers) {
  const auto request = parse_chat_request(
      R"({"model": "m", "messages": [{"role": "developer", "content": "Be brief."},
          {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]})",
      kLimits);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->messages, (std::vector<Message>{{"system", "Be brief."}, {"user", "ab"}}));
}

TEST(ChatRequest, TakesLabels) {
  const ChatRequest request = parsed(
      R"("user": "u", "safety_identifier": "s", "metadata": {"k": "v"}, "prompt_cache_key": "p",
         "store": false, "service_tier": "auto", "modalities": ["text"], "tool_choice": "none")");
  EXPECT_EQ(request.user, "u");
  EXPECT_EQ(request.safety_identifier, "s");
  EXPECT_EQ(request.metadata, (Json{{"k", "v"}}));
  EXPECT_TRUE(request.names_tier);
}

TEST(ChatRequest, RefusesValuesByName) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {R"("temperature": 2.1)", "temperature"},
      {R"("temperature": "hot")", "temperature"},
      {R"("top_p": 0)", "top_p"},
      {R"("top_p": 1.5)", "top_p"},
      {R"("top_k": -1)", "top_k"},
      {R"("min_p": 2)", "min_p"},
      {R"("presence_penalty": 3)", "presence_penalty"},
      {R"("frequency_penalty": -3)", "frequency_penalty"},
      {R"("logit_bias": [])", "logit_bias"},
      {R"("logit_bias": {"1000": 1})", "logit_bias"},
      {R"("logit_bias": {"x": 1})", "logit_bias"},
      {R"("logit_bias": {"-1": 1})", "logit_bias"},
      {R"("logit_bias": {"1": 101})", "logit_bias"},
      {R"("seed": 1.5)", "seed"},
      {R"("n": 0)", "n"},
      {R"("n": 17)", "n"},
      {R"("stop": ["a", "b", "c", "d", "e"])", "stop"},
      {R"("stop": "")", "stop"},
      {R"("stop": [1])", "stop"},
      {R"("max_tokens": 0)", "max_tokens"},
      {R"("max_tokens": 101)", "max_tokens"},
      {R"("max_completion_tokens": 101)", "max_completion_tokens"},
      {R"("max_tokens": 1, "max_completion_tokens": 1)", "max_tokens"},
      {R"("logprobs": 1)", "logprobs"},
      {R"("top_logprobs": 1)", "top_logprobs"},
      {R"("logprobs": true, "top_logprobs": 21)", "top_logprobs"},
      {R"("stream": 1)", "stream"},
      {R"("stream_options": {})", "stream_options"},
      {R"("stream": true, "stream_options": {"include_usage": 1})", "stream_options.include_usage"},
      {R"("patches": "a")", "patches"},
      {R"("patches": ["A b"])", "patches"},
      {R"("patches": ["a@^0"])", "patches"},
      {R"("compose": "beside")", "compose"},
      {R"("compose": "")", "compose"},
      {R"("response_format": {"type": "xml"})", "response_format.type"},
      {R"("response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": 1}})",
       "response_format.json_schema.schema"},
      {R"("metadata": {"k": 1})", "metadata"},
  };
  for (const auto& [fields, param] : cases) {
    EXPECT_EQ(refusal(fields), std::string(param) + " invalid_value") << fields;
  }
}

TEST(ChatRequest, RefusesWhatIsNotSupportedByName) {
  for (const char* name :
       {"functions", "function_call", "audio", "prediction", "reasoning_effort", "verbosity",
        "web_search_options", "prompt_cache_retention", "moderation"}) {
    EXPECT_EQ(refusal("\"" + std::string(name) + "\": {}"),
              std::string(name) + " unsupported_parameter");
  }
  EXPECT_EQ(refusal(R"("store": true)"), "store unsupported_parameter");
  EXPECT_EQ(refusal(R"("modalities": ["audio"])"), "modalities unsupported_parameter");
  EXPECT_EQ(refusal(R"("service_tier": "flex")"), "service_tier unsupported_parameter");
  EXPECT_EQ(refusal(R"("stream": true, "stream_options": {"include_obfuscation": true})"),
            "stream_options.include_obfuscation unsupported_parameter");
}

TEST(ChatRequest, RefusesUnknownFieldsByName) {
  EXPECT_EQ(refusal(R"("temprature": 1)"), "temprature unknown_parameter");
  EXPECT_EQ(refusal(R"("stream": true, "stream_options": {"x": 1})"),
            "stream_options.x unknown_parameter");
}

TEST(ChatRequest, TakesNullForNotGiven) {
  EXPECT_EQ(refusal(R"("temprature": null, "audio": null)"), "none");
  EXPECT_EQ(refusal_of(R"({"model": "m", "messages": [{"role": "assistant", "content": "x",
      "refusal": null, "annotations": null, "audio": null, "function_call": null,
      "tool_calls": null}]})"),
            "none");
  EXPECT_EQ(refusal_of(R"({"model": "m", "messages": [{"role": "assistant", "content": "x",
      "annotations": []}]})"),
            "messages[0].annotations unknown_parameter");
}

TEST(ChatRequest, RefusesMessagesByPlace) {
  const auto with = [](const std::string& messages) {
    return R"({"model": "m", "messages": )" + messages + "}";
  };
  EXPECT_EQ(refusal_of(with("[]")), "messages invalid_value");
  EXPECT_EQ(refusal_of(with("{}")), "messages invalid_value");
  EXPECT_EQ(refusal_of(with("[1]")), "messages[0] invalid_value");
  EXPECT_EQ(refusal_of(with(R"([{"role": "user"}])")), "messages[0].content missing_parameter");
  EXPECT_EQ(refusal_of(with(R"([{"content": "x"}])")), "messages[0].role missing_parameter");
  EXPECT_EQ(refusal_of(with(R"([{"role": "king", "content": "x"}])")),
            "messages[0].role invalid_value");
  EXPECT_EQ(refusal_of(with(R"([{"role": "tool", "content": "x"}])")),
            "messages[0].tool_call_id missing_parameter");
  EXPECT_EQ(refusal_of(with(R"([{"role": "tool", "content": "x", "tool_call_id": "1"}])")),
            "messages[0].tool_call_id invalid_value");
  EXPECT_EQ(refusal_of(with(R"([{"role": "function", "content": "x"}])")),
            "messages[0].role unsupported_parameter");
  EXPECT_EQ(refusal_of(with(R"([{"role": "user", "content": "x", "name": "n"}])")),
            "messages[0].name unsupported_parameter");
  EXPECT_EQ(refusal_of(with(R"([{"role": "assistant", "content": "x", "tool_calls": []}])")),
            "messages[0].tool_calls invalid_value");
  EXPECT_EQ(refusal_of(with(R"([{"role": "user", "content": "x", "tool_calls": [{}]}])")),
            "messages[0].tool_calls invalid_value");
  EXPECT_EQ(refusal_of(with(R"([{"role": "assistant", "tool_calls": [{"id": "1", "type":
      "function", "function": {"name": "f", "arguments": "[1]"}}]}])")),
            "messages[0].tool_calls[0].function.arguments invalid_value");
  EXPECT_EQ(refusal_of(with(R"([{"role": "assistant", "tool_calls": [{"id": "1", "type":
      "custom", "custom": {}}]}])")),
            "messages[0].tool_calls[0].type unsupported_parameter");
  EXPECT_EQ(refusal_of(with(R"([{"role": "user", "content": []}])")),
            "messages[0].content invalid_value");
  EXPECT_EQ(refusal_of(
                with(R"([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])")),
            "messages[0].content[0].type unsupported_parameter");
  EXPECT_EQ(refusal_of(with(R"([{"role": "user", "content": "x", "mood": 1}])")),
            "messages[0].mood unknown_parameter");
}

constexpr const char* kTools =
    R"("tools": [{"type": "function", "function": {"name": "weather", "description": "d",
        "parameters": {"type": "object", "properties": {"z": {"type": "string"},
        "a": {"type": "integer"}}}}}, {"type": "function", "function": {"name": "now"}}])";

TEST(ChatRequest, TakesTools) {
  const ToolUse use = parsed(kTools).tools;
  ASSERT_EQ(use.tools.size(), 2u);
  EXPECT_EQ(use.tools[0].name, "weather");
  EXPECT_EQ(use.tools[0].description, "d");
  // In the client's order, which is that of calls.
  EXPECT_EQ(use.tools[0].parameters,
            R"({"type":"object","properties":{"z":{"type":"string"},"a":{"type":"integer"}}})");
  EXPECT_EQ(use.tools[0].arguments, use.tools[0].parameters);
  EXPECT_EQ(use.tools[1].parameters, R"({"type":"object","properties":{}})");
  EXPECT_FALSE(use.must);
  EXPECT_FALSE(use.parallel);
}

TEST(ChatRequest, TakesToolChoice) {
  const auto with = [](const std::string& fields) {
    return parsed(std::string(kTools) + ", " + fields).tools;
  };
  EXPECT_FALSE(with(R"("tool_choice": "auto")").must);
  EXPECT_TRUE(with(R"("tool_choice": "none")").tools.empty());
  EXPECT_TRUE(with(R"("tool_choice": "required")").must);
  const ToolUse named = with(R"("tool_choice": {"type": "function", "function": {"name": "now"}})");
  EXPECT_TRUE(named.must);
  EXPECT_EQ(named.only, "now");
  EXPECT_EQ(with(R"("parallel_tool_calls": false)").parallel, false);
}

TEST(ChatRequest, TakesCallsAndResults) {
  const Result<ChatRequest> request = parse_chat_request(
      R"({"model": "m", "messages": [{"role": "user", "content": "x"},
          {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
           "function": {"name": "f", "arguments": "{\"a\": 1}"}}]},
          {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "r"}]}]})",
      kLimits);
  ASSERT_TRUE(request.ok()) << request.error().to_string();
  EXPECT_TRUE(request->has_tool_messages);
  EXPECT_EQ(request->messages[1].tool_calls, (std::vector<ToolCall>{{"c1", "f", "{\"a\": 1}"}}));
  EXPECT_EQ(request->messages[2].content, "r");
  EXPECT_EQ(request->messages[2].tool_call_id, "c1");
  EXPECT_EQ(request->messages[2].tool_name, "f");
}

TEST(ChatRequest, RefusesToolsByName) {
  const auto tools = [](const std::string& function) {
    return refusal(R"("tools": [{"type": "function", "function": )" + function + "}]");
  };
  EXPECT_EQ(refusal(R"("tools": [])"), "tools invalid_value");
  EXPECT_EQ(refusal(R"("tools": {})"), "tools invalid_value");
  EXPECT_EQ(refusal(R"("tools": [{"type": "custom", "custom": {}}])"),
            "tools[0].type unsupported_parameter");
  EXPECT_EQ(tools("{}"), "tools[0].function.name missing_parameter");
  EXPECT_EQ(tools(R"({"name": "a b"})"), "tools[0].function.name invalid_value");
  EXPECT_EQ(tools(R"({"name": "f", "mood": 1})"), "tools[0].function.mood unknown_parameter");
  EXPECT_EQ(tools(R"({"name": "f", "parameters": []})"),
            "tools[0].function.parameters invalid_value");
  EXPECT_EQ(tools(R"({"name": "f", "strict": true, "parameters": {"type": "object",
                      "properties": {"a": {"type": "integer", "multipleOf": 2}}}})"),
            "tools[0].function.parameters unsupported_parameter");
  EXPECT_EQ(tools(R"({"name": "f", "description": ")" + std::string(70'000, 'x') + "\"}"),
            "tools invalid_value");
  std::string many;
  for (int i = 0; i < 129; ++i) {
    many += (i == 0 ? "" : ",") + std::string(R"({"type": "function", "function": {"name": "f)") +
            std::to_string(i) + "\"}}";
  }
  EXPECT_EQ(refusal("\"tools\": [" + many + "]"), "tools invalid_value");
  EXPECT_EQ(refusal(R"("tools": [{"type": "function", "function": {"name": "f"}},
                                 {"type": "function", "function": {"name": "f"}}])"),
            "tools invalid_value");

  const auto beside = [](const std::string& fields) {
    return refusal(std::string(kTools) + ", " + fields);
  };
  EXPECT_EQ(refusal(R"("tool_choice": "auto")"), "tool_choice invalid_value");
  EXPECT_EQ(refusal(R"("parallel_tool_calls": true)"), "parallel_tool_calls invalid_value");
  EXPECT_EQ(beside(R"("tool_choice": "maybe")"), "tool_choice invalid_value");
  EXPECT_EQ(beside(R"("tool_choice": {"type": "function", "function": {"name": "g"}})"),
            "tool_choice invalid_value");
  EXPECT_EQ(beside(R"("tool_choice": {"type": "custom", "custom": {"name": "g"}})"),
            "tool_choice.type unsupported_parameter");
  EXPECT_EQ(beside(R"("response_format": {"type": "json_object"})"),
            "response_format unsupported_parameter");
  EXPECT_EQ(beside(R"("logprobs": true)"), "logprobs unsupported_parameter");
  EXPECT_EQ(beside(R"("logprobs": true, "tool_choice": "none")"), "none");
}

TEST(ChatRequest, RefusesWhatIsNoRequest) {
  EXPECT_EQ(refusal_of(""), " invalid_json");
  EXPECT_EQ(refusal_of("{"), " invalid_json");
  EXPECT_EQ(refusal_of("[]"), " invalid_value");
  EXPECT_EQ(refusal_of(R"({"model": "m", "model": "m"})"), " invalid_json");
  EXPECT_EQ(refusal_of("{\"model\": \"\xff\"}"), " invalid_json");
  EXPECT_EQ(refusal_of(std::string(100, '[') + std::string(100, ']')), " invalid_json");
  EXPECT_EQ(refusal_of("{}"), "model missing_parameter");
  EXPECT_EQ(refusal_of(R"({"model": "m"})"), "messages missing_parameter");
}

}  // namespace
}  // namespace llmpatch
