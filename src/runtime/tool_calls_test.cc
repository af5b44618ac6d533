#include "runtime/tool_calls.h"

#include <llama.h>

#include "runtime/grammar.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

// A template with a form of its own for functions, in the manner of many.
constexpr const char* kTemplate = R"jinja(
{%- if tools %}
{{- '<|im_start|>system\n' }}
{%- if messages[0].role == 'system' %}
{{- messages[0].content + '\n\n' }}
{%- endif %}
{{- 'Functions:' }}
{%- for tool in tools %}
{{- '\n' }}{{ tool | tojson }}
{%- endfor %}
{{- '\nCall them as <tool_call>\n{"name": ..., "arguments": ...}\n</tool_call><|im_end|>\n' }}
{%- elif messages[0].role == 'system' %}
{{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- elif message.role == 'assistant' %}
{{- '<|im_start|>assistant\n' }}
{%- if message.content %}
{{- message.content }}
{%- endif %}
{%- for call in message.tool_calls %}
{%- if (loop.first and message.content) or not loop.first %}
{{- '\n' }}
{%- endif %}
{{- '<tool_call>\n{"name": "' }}{{ call.function.name }}{{- '", "arguments": ' }}
{{- call.function.arguments | tojson }}
{{- '}\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- elif message.role == 'tool' %}
{{- '<|im_start|>user\n<tool_response>\n' }}{{ message.content }}{{- '\n</tool_response><|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\n' }}
{%- endif %}
)jinja";

std::unique_ptr<Model> with_template(const char* source) {
  GgufTestFile file = tiny_model_file();
  file.text("tokenizer.chat_template", source);
  auto model = load_bytes(file.bytes());
  if (!model.ok()) ADD_FAILURE() << model.error().to_string();
  return std::move(model).value();
}

const Model& own_form() {
  static const auto model = with_template(kTemplate);
  return *model;
}

// Knows no functions.
const Model& no_form() {
  static const auto model = with_template(
      "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
      "{% if add_generation_prompt %}[assistant] {% endif %}");
  return *model;
}

Tool tool(const std::string& name) {
  const std::string schema =
      R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]})";
  return {name, "About " + name, schema, schema};
}

ToolUse weather() {
  ToolUse use;
  use.tools = {tool("weather"), tool("tide_table")};
  return use;
}

ToolTurn opened(const Model& model, const std::vector<Message>& messages, const ToolUse& use) {
  Result<ToolTurn> turn = open_tool_turn(model, messages, use);
  if (!turn.ok()) {
    ADD_FAILURE() << turn.error().to_string();
    return {};
  }
  return std::move(*turn);
}

std::string prompt_of(const Model& model, const std::vector<Message>& messages,
                      const ToolUse& use) {
  return model.text(opened(model, messages, use).prompt);
}

const std::vector<Message> kQuestion{{"user", "rain?"}};
const std::string kCall =
    "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"oslo\"}}\n"
    "</tool_call>";

// Whether the answer may be this text, whole. The tiny model's tokens 3 to 258 are the bytes.
bool may_answer(const Model& model, const ToolTurn& turn, const std::string& text) {
  if (turn.grammar.empty()) return true;
  auto grammar = Grammar::create(model, turn.grammar, turn.triggers);
  if (!grammar.ok()) {
    ADD_FAILURE() << grammar.error().to_string() << "\n" << turn.grammar;
    return false;
  }
  for (const char c : text) {
    const Token token = 3 + static_cast<unsigned char>(c);
    if (!(*grammar)->allows(token)) return false;
    if (!(*grammar)->accept(token).ok()) return false;
  }
  return (*grammar)->allows(2);
}

// Both kinds of model.
class ToolCalls : public ::testing::TestWithParam<const Model* (*)()> {
 protected:
  const Model& model() const { return *GetParam()(); }
};

INSTANTIATE_TEST_SUITE_P(Forms, ToolCalls,
                         ::testing::Values([]() -> const Model* { return &own_form(); },
                                           []() -> const Model* { return &no_form(); }),
                         [](const auto& each) {
                           return std::string(each.index == 0 ? "Own" : "Plain");
                         });

TEST_P(ToolCalls, AreToldToTheModel) {
  const std::string prompt = prompt_of(model(), kQuestion, weather());
  for (const char* part : {"weather", "tide_table", "About weather", "\"city\"", "rain?"}) {
    EXPECT_NE(prompt.find(part), std::string::npos) << part << " in " << prompt;
  }
  // Once the answer is forced to one of them, the others are still told of.
  ToolUse use = weather();
  use.must = true;
  use.only = "weather";
  EXPECT_NE(prompt_of(model(), kQuestion, use).find("tide_table"), std::string::npos);
}

TEST_P(ToolCalls, AreReadFromTheAnswer) {
  const ToolTurn turn = opened(model(), kQuestion, weather());
  const Result<ToolAnswer> answer = turn.parser->parse("Let me see. " + kCall, true);
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(answer->content, "Let me see. ");
  ASSERT_EQ(answer->calls.size(), 1u);
  EXPECT_EQ(answer->calls[0].name, "weather");
  EXPECT_EQ(answer->calls[0].arguments, R"({"city": "oslo"})");
  const Result<ToolAnswer> plain = turn.parser->parse("It may { rain } < soon", true);
  ASSERT_TRUE(plain.ok()) << plain.error().to_string();
  EXPECT_EQ(plain->content, "It may { rain } < soon");
  EXPECT_TRUE(plain->calls.empty());
}

TEST_P(ToolCalls, AreReadAsTheyCome) {
  const ToolTurn turn = opened(model(), kQuestion, weather());
  const std::string text = "Well: " + kCall;
  std::string content, arguments;
  for (std::size_t n = 1; n <= text.size(); ++n) {
    const Result<ToolAnswer> answer = turn.parser->parse(text.substr(0, n), false);
    if (!answer.ok()) continue;
    EXPECT_TRUE(answer->content.starts_with(content)) << text.substr(0, n);
    content = answer->content;
    EXPECT_TRUE(std::string("Well: ").starts_with(content)) << content;
    if (answer->calls.empty()) continue;
    const ToolCall& call = answer->calls[0];
    EXPECT_TRUE(call.arguments.starts_with(arguments)) << text.substr(0, n);
    arguments = call.arguments;
    if (!arguments.empty()) {
      EXPECT_EQ(call.name, "weather");
    }
  }
  EXPECT_EQ(arguments, R"({"city": "oslo"})");
}

TEST_P(ToolCalls, AreHeldToTheirSchema) {
  const ToolTurn turn = opened(model(), kQuestion, weather());
  EXPECT_TRUE(may_answer(model(), turn, "No idea {\"name\": 1}."));
  EXPECT_TRUE(may_answer(model(), turn, kCall));
  EXPECT_TRUE(may_answer(model(), turn, "Let me see. " + kCall));
  const auto call = [](const std::string& name, const std::string& arguments) {
    return "<tool_call>\n{\"name\": \"" + name + "\", \"arguments\": " + arguments +
           "}\n</tool_call>";
  };
  EXPECT_TRUE(may_answer(model(), turn, call("tide_table", R"({"city": "a", "days": 3})")));
  EXPECT_FALSE(may_answer(model(), turn, call("tide", R"({"city": "a"})")));
  EXPECT_FALSE(may_answer(model(), turn, call("weather", R"({"city": 1})")));
  EXPECT_FALSE(may_answer(model(), turn, call("weather", "{}")));
}

TEST_P(ToolCalls, CanBeRequired) {
  ToolUse use = weather();
  use.must = true;
  const ToolTurn any = opened(model(), kQuestion, use);
  EXPECT_TRUE(any.triggers.empty());
  EXPECT_TRUE(may_answer(model(), any, kCall));
  EXPECT_FALSE(may_answer(model(), any, "No idea."));
  EXPECT_FALSE(may_answer(model(), any, ""));
  use.only = "tide_table";
  const ToolTurn one = opened(model(), kQuestion, use);
  EXPECT_FALSE(may_answer(model(), one, kCall));
  std::string tide = kCall;
  tide.replace(tide.find("weather"), 7, "tide_table");
  EXPECT_TRUE(may_answer(model(), one, tide));
  const Result<ToolAnswer> answer = one.parser->parse(tide, true);
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(answer->calls.at(0).name, "tide_table");
}

TEST_P(ToolCalls, MayBeSeveral) {
  ToolUse use = weather();
  use.must = true;
  use.parallel = true;
  const ToolTurn several = opened(model(), kQuestion, use);
  const std::string two = kCall + "\n" + kCall;
  EXPECT_TRUE(may_answer(model(), several, two));
  const Result<ToolAnswer> answer = several.parser->parse(two, true);
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(answer->calls.size(), 2u);
  use.parallel = false;
  const ToolTurn one = opened(model(), kQuestion, use);
  EXPECT_TRUE(may_answer(model(), one, kCall));
  EXPECT_FALSE(may_answer(model(), one, two));
}

TEST_P(ToolCalls, AreShownAgainWithTheirResults) {
  Message calls{"assistant", ""};
  calls.tool_calls = {{"call-1", "weather", R"({"city": "oslo"})"}};
  Message result{"tool", "wet"};
  result.tool_call_id = "call-1";
  result.tool_name = "weather";
  const std::vector<Message> messages{{"user", "rain?"}, calls, result};
  for (const ToolUse& use : {weather(), ToolUse()}) {
    const std::string prompt = prompt_of(model(), messages, use);
    for (const char* part : {"rain?", "<tool_call>", "\"oslo\"", "wet"}) {
      EXPECT_NE(prompt.find(part), std::string::npos) << part << " in " << prompt;
    }
  }
  EXPECT_EQ(opened(model(), messages, ToolUse()).parser, nullptr);
  EXPECT_EQ(prompt_of(model(), messages, ToolUse()).find("About"), std::string::npos);
}

TEST_P(ToolCalls, BringNoControlTokens) {
  const auto refused = [&](const std::vector<Message>& messages, const ToolUse& use) {
    const Result<ToolTurn> turn = open_tool_turn(model(), messages, use);
    if (turn.ok()) {
      ADD_FAILURE() << model().text(turn->prompt, true);
      return std::string();
    }
    EXPECT_EQ(turn.error().kind, ErrorKind::kUnsupported);
    return turn.error().where;
  };
  ToolUse use = weather();
  use.tools[0].description = "a </s> b";
  EXPECT_EQ(refused(kQuestion, use), "tools");
  Message calls{"assistant", ""};
  calls.tool_calls = {{"1", "weather", R"({"city": "</s>"})"}};
  EXPECT_EQ(refused({{"user", "x"}, calls}, weather()), "messages");
  // What a tool gave may hold anything: it is the text of a message.
  calls.tool_calls = {{"1", "weather", "{}"}};
  Message result{"tool", "</s>"};
  result.tool_call_id = "1";
  const ToolTurn turn = opened(model(), {{"user", "x"}, calls, result}, weather());
  EXPECT_EQ(std::count(turn.prompt.begin(), turn.prompt.end(), 2), 0);
}

TEST_P(ToolCalls, DoNotGoDeeperThanTheStack) {
  const ToolTurn turn = opened(model(), kQuestion, weather());
  const std::string deep =
      "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"x\": " + std::string(100'000, '[');
  EXPECT_EQ(turn.parser->parse(deep, false).error().kind, ErrorKind::kLimit);
}

TEST_P(ToolCalls, RefusesNamesThatLookAlike) {
  ToolUse use;
  use.tools = {tool("a_b"), tool("a-b")};
  EXPECT_EQ(open_tool_turn(model(), kQuestion, use).error().kind, ErrorKind::kInvalidArgument);
}

TEST(ToolCallsOwn, TakeTheTemplatesForm) {
  Message calls{"assistant", "Wait."};
  calls.tool_calls = {{"1", "weather", R"({"city": "oslo"})"}};
  Message result{"tool", "wet"};
  result.tool_call_id = "1";
  ToolUse use;
  use.tools = {tool("weather")};
  EXPECT_EQ(prompt_of(own_form(), {{"system", "short"}, {"user", "rain?"}, calls, result}, use),
            " <|im_start|>system\nshort\n\nFunctions:\n"
            "{\"type\": \"function\", \"function\": {\"name\": \"weather\", \"description\": "
            "\"About weather\", \"parameters\": {\"type\": \"object\", \"properties\": {\"city\": "
            "{\"type\": \"string\"}, \"days\": {\"type\": \"integer\"}}, \"required\": "
            "[\"city\"]}}}\nCall them as <tool_call>\n{\"name\": ..., \"arguments\": ...}\n"
            "</tool_call><|im_end|>\n<|im_start|>user\nrain?<|im_end|>\n<|im_start|>assistant\n"
            "Wait.\n" +
                kCall +
                "<|im_end|>\n<|im_start|>user\n<tool_response>\nwet\n"
                "</tool_response><|im_end|>\n<|im_start|>assistant\n");
}

TEST(ToolCallsPlain, ResultsOfOneAnswerAreOneMessage) {
  Message calls{"assistant", ""};
  calls.tool_calls = {{"1", "weather", "{}"}, {"2", "weather", "{}"}};
  Message one{"tool", "wet"}, two{"tool", "dry"};
  one.tool_call_id = "1";
  two.tool_call_id = "2";
  const std::string prompt =
      prompt_of(no_form(), {{"user", "rain?"}, calls, one, two, {"user", "so?"}}, ToolUse());
  EXPECT_NE(prompt.find("[user] <tool_response>\nwet\n</tool_response>\n<tool_response>\ndry\n"
                        "</tool_response>\n[user] so?\n[assistant] "),
            std::string::npos)
      << prompt;
}

TEST(ToolCallsTemplate, MayNotMakeControlTokensOfWhatWasSaid) {
  const auto model = with_template(
      "{% for m in messages %}{{ m['content'] | replace('!', '') | tojson }}{% endfor %}");
  Message result{"tool", "</!s>"};
  result.tool_call_id = "1";
  EXPECT_EQ(open_tool_turn(*model, {{"user", "x"}, result}, {}).error().kind,
            ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace llmpatch
