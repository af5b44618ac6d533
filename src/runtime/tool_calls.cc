// Includes llama.cpp's `common`, and so must not include base/json.h: `common` brings another
// version of nlohmann's library.
#include "runtime/tool_calls.h"

#include <chat-peg-parser.h>
#include <json-schema-to-grammar.h>
#include <llama.h>

#include <algorithm>
#include <ctime>
#include <exception>
#include <set>
#include <utility>

#include "runtime/chat_template_state.h"
#include "runtime/grammar_check.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxGrammarBytes = 256 << 10;
// The parser goes down a level of its stack for each; honest arguments stay far below.
constexpr std::size_t kMaxNesting = 128;
// Marks of the form for models whose templates know no functions.
constexpr const char* kCallBegin = "<tool_call>";
constexpr const char* kCallEnd = "</tool_call>";
constexpr const char* kResultBegin = "<tool_response>\n";
constexpr const char* kResultEnd = "\n</tool_response>";

constexpr const char* kTools = "tools";

Error unsupported(const char* field, std::string message) {
  return make_error(ErrorKind::kUnsupported, field, std::move(message));
}

bool is_control(const llama_vocab* vocab, Token token) {
  return (llama_vocab_get_attr(vocab, token) &
          (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0;
}

// The control tokens among those of rendered text: all are of the template's own text.
Result<Tokens> control_tokens(const Model& model, const std::vector<TextSpan>& spans) {
  LLMPATCH_ASSIGN(Tokens tokens, model.tokenize(spans));
  const llama_vocab* vocab = llama_model_get_vocab(model.handle());
  std::erase_if(tokens, [&](Token token) { return !is_control(vocab, token); });
  return tokens;
}

Status check_no_control(const Model& model, const char* field, const std::string& text) {
  LLMPATCH_ASSIGN(const Tokens found, control_tokens(model, {{text, false}}));
  if (found.empty()) return {};
  return unsupported(field,
                     "found the text of a control token in it, which the model could not "
                     "tell from its template's own");
}

// Templates write what they turn into JSON as text of their own.
Status check_no_control(const Model& model, const std::vector<Message>& messages,
                        const ToolUse& use) {
  for (const Tool& tool : use.tools) {
    LLMPATCH_TRY(check_no_control(model, kTools, tool.description));
    LLMPATCH_TRY(check_no_control(model, kTools, tool.parameters));
  }
  for (const Message& message : messages) {
    LLMPATCH_TRY(check_no_control(model, "messages", message.tool_call_id));
    for (const ToolCall& call : message.tool_calls) {
      LLMPATCH_TRY(check_no_control(model, "messages", call.id));
      LLMPATCH_TRY(check_no_control(model, "messages", call.name));
      LLMPATCH_TRY(check_no_control(model, "messages", call.arguments));
    }
  }
  return {};
}

common_json tool_json(const Tool& tool, const std::string& schema) {
  common_json function = common_json::object();
  function["name"] = tool.name;
  function["description"] = tool.description;
  function["parameters"] = common_json::parse(schema);
  common_json item = common_json::object();
  item["type"] = "function";
  item["function"] = function;
  return item;
}

// As the model is told.
common_json shown_tools(const std::vector<Tool>& tools) {
  common_json list = common_json::array();
  for (const Tool& tool : tools) list.push_back(tool_json(tool, tool.parameters));
  return list;
}

// Those that the answer may call, with what their arguments are held to.
common_json callable_tools(const ToolUse& use) {
  common_json list = common_json::array();
  for (const Tool& tool : use.tools) {
    if (use.only.empty() || tool.name == use.only) {
      list.push_back(tool_json(tool, tool.arguments));
    }
  }
  return list;
}

// Grammars write rules' names with nothing but letters, digits and -.
Status check_names(const std::vector<Tool>& tools) {
  std::set<std::string> names;
  for (const Tool& tool : tools) {
    std::string name = tool.name;
    std::replace(name.begin(), name.end(), '_', '-');
    if (names.insert(name).second) continue;
    return make_error(
        ErrorKind::kInvalidArgument, kTools,
        "found two functions named " + tool.name + ", or so but for - and _, expected one");
  }
  return {};
}

// Nothing in a text tells brackets in strings from others in every form: all are counted.
bool is_deep(const std::string& text) {
  std::size_t depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{' || c == '(') {
      if (++depth > kMaxNesting) return true;
    } else if ((c == ']' || c == '}' || c == ')') && depth > 0) {
      --depth;
    }
  }
  return false;
}

class PegParser : public ToolParser {
 public:
  PegParser(const common_chat_params& form, const common_peg_arena& parser) : params_(form) {
    params_.parser = parser;
  }

  Result<ToolAnswer> parse(const std::string& text, bool is_whole) const override {
    if (is_deep(text)) {
      return make_error(ErrorKind::kLimit, "runtime", "answer: found it nested too deep");
    }
    try {
      const common_chat_msg message = common_chat_parse(text, !is_whole, params_);
      ToolAnswer answer;
      answer.content = message.content;
      for (const common_chat_tool_call& call : message.tool_calls) {
        answer.calls.push_back({call.id, call.name, call.arguments});
      }
      return answer;
    } catch (const std::exception& error) {
      return make_error(ErrorKind::kCorrupt, "runtime", std::string("answer: ") + error.what());
    }
  }

 private:
  common_chat_parser_params params_;
};

void replace_once(std::string& text, const std::string& what, const std::string& by) {
  if (const std::size_t at = text.find(what); at != std::string::npos) {
    text.replace(at, what.size(), by);
  }
}

// The grammar of calls alone, without the text that may stand before them: it begins where a call
// does. A parser that was stored has no schemas any more: this one must not have been.
std::string grammar_of(const common_peg_arena& parser) {
  return build_grammar(
      [&](const common_grammar_builder& builder) { parser.build_grammar(builder, true); });
}

// The same for answers that have at least one call.
std::string calls_grammar(std::string grammar, bool may_be_several) {
  // Where both are there, the one is part of the other.
  replace_once(grammar, "root ::= tool-call | tool-calls\n", "root ::= tool-calls\n");
  // No call at all is for answers without, which it does not come to.
  replace_once(grammar, "tool-calls ::= (tool-call? space)+\n",
               "tool-calls ::= (tool-call space)+\n");
  if (!may_be_several) {
    replace_once(grammar, "tool-calls ::= (tool-call space)+\n",
                 "tool-calls ::= tool-call space\n");
  }
  return grammar;
}

// What the form says of the answer: grammar, triggers, markers, parser.
Status take_form(const Model& model, const ToolUse& use, const common_chat_params& form,
                 ToolTurn& turn) {
  common_peg_arena parser;
  parser.load(form.parser);
  turn.parser = std::make_shared<PegParser>(form, parser);
  turn.stop = form.additional_stops;
  for (const common_grammar_trigger& trigger : form.grammar_triggers) {
    if (trigger.type != COMMON_GRAMMAR_TRIGGER_TYPE_WORD || trigger.value.empty()) {
      return unsupported(kTools, "this model's form of calls is not supported");
    }
    turn.triggers.push_back(trigger.value);
  }
  // Without a mark that begins them, calls are told from text by their form alone.
  if (use.must || !turn.triggers.empty()) {
    turn.grammar = calls_grammar(form.grammar.empty() ? grammar_of(parser) : form.grammar,
                                 use.parallel.value_or(true));
  }
  if (use.must) turn.triggers.clear();
  if (turn.grammar.size() > kMaxGrammarBytes) {
    return make_error(ErrorKind::kLimit, kTools,
                      "found a grammar of " + std::to_string(turn.grammar.size()) +
                          " bytes, expected at most " + std::to_string(kMaxGrammarBytes));
  }
  if (!turn.grammar.empty()) {
    if (Status status = check_grammar(turn.grammar); !status.ok()) {
      Error error = std::move(status).error();
      error.where = kTools;
      return error;
    }
  }
  for (const std::string& text : form.preserved_tokens) {
    LLMPATCH_ASSIGN(const Tokens found, control_tokens(model, {{text, false}}));
    turn.markers.insert(turn.markers.end(), found.begin(), found.end());
  }
  std::erase_if(turn.markers, [&](Token token) { return model.is_end(token); });
  return {};
}

std::string joined(const std::vector<TextSpan>& spans) {
  std::string text;
  for (const TextSpan& span : spans) text += span.text;
  return text;
}

// How the template's own form has calls; nothing where it has none.
Result<std::optional<common_chat_params>> own_form(const ChatTemplate::State& state,
                                                   const common_chat_template& parsed,
                                                   const common_json& messages,
                                                   const ToolUse& use) {
  using Form = std::optional<common_chat_params>;
  if (!parsed.caps.supports_tools || !parsed.caps.supports_tool_calls) return Form();
  autoparser::generation_params params;
  params.messages = messages;
  params.tools = callable_tools(use);
  params.tool_choice = COMMON_CHAT_TOOL_CHOICE_AUTO;
  params.parallel_tool_calls = use.parallel.value_or(parsed.caps.supports_parallel_tool_calls);
  params.reasoning_format = COMMON_REASONING_FORMAT_NONE;
  params.add_generation_prompt = true;
  params.add_bos = state.adds_bos;
  params.extra_context = common_json::object();
  params.extra_context["date_string"] = kDateString;
  params.extra_context["datetime"] = kDateTime;
  if (auto special = common_chat_try_specialized_template(parsed, parsed.src, params)) {
    // Some of these forms are made of other messages than were sent, whose text could not be told
    // from the template's own.
    std::vector<TextSpan> spans =
        render_spans(parsed, messages, params.tools, true, {}, std::time(nullptr));
    drop_bos(state, spans);
    if (joined(spans) == special->prompt) return Form(std::move(special));
    return unsupported(kTools, "this model's form of calls is not supported");
  }
  std::call_once(state.analysed, [&] { state.analysis.analyze_template(parsed); });
  if (state.analysis.tools.format.mode == autoparser::tool_format::NONE) return Form();
  return Form(autoparser::peg_generator::generate_parser(parsed, params, state.analysis));
}

// For models whose templates know no functions: calls as JSON between marks.
common_chat_params plain_form(const ToolUse& use) {
  const common_json tools = callable_tools(use);
  const bool parallel = use.parallel.value_or(true);
  const common_peg_arena parser = build_chat_peg_parser([&](common_chat_peg_builder& p) {
    const auto one = p.standard_json_tools(kCallBegin, kCallEnd, tools, false, true);
    const auto calls =
        p.trigger_rule("tool-calls", parallel ? p.one_or_more(one + p.space()) : one + p.space());
    return p.optional(p.content(p.until(kCallBegin))) + p.optional(calls) + p.end();
  });
  common_chat_params form;
  form.format = COMMON_CHAT_FORMAT_PEG_NATIVE;
  form.parser = parser.save();
  form.grammar = grammar_of(parser);
  form.grammar_triggers = {{COMMON_GRAMMAR_TRIGGER_TYPE_WORD, kCallBegin}};
  return form;
}

std::string plain_call(const ToolCall& call) {
  common_json json = common_json::object();
  json["name"] = call.name;
  json["arguments"] = common_json::parse(call.arguments);
  return std::string(kCallBegin) + "\n" + json.dump() + "\n" + kCallEnd;
}

std::string plain_instructions(const ToolUse& use) {
  std::string text =
      "You can call functions. These are the ones there are, each described by a JSON object "
      "with the schema of its arguments:\n<tools>\n";
  for (const Tool& tool : use.tools) {
    text += tool_json(tool, tool.parameters).at("function").dump() + "\n";
  }
  text += std::string("</tools>\nTo call one, write a JSON object with its name and arguments:\n") +
          kCallBegin + "\n{\"name\": \"FUNCTION\", \"arguments\": {}}\n" + kCallEnd +
          "\nThe result comes between <tool_response> and </tool_response>.";
  if (use.parallel == false) text += " Make one call at most.";
  return text;
}

// Conversations in which calls and results are text of messages that every template knows.
std::vector<Message> plain_messages(const std::vector<Message>& messages, const ToolUse& use) {
  std::vector<Message> plain;
  if (!use.tools.empty()) {
    if (messages.front().role != "system") {
      plain.push_back({"system", plain_instructions(use)});
    }
  }
  bool after_result = false;
  for (const Message& message : messages) {
    if (message.role == "tool") {
      const std::string result = kResultBegin + message.content + kResultEnd;
      if (after_result) {
        plain.back().content += "\n" + result;
      } else {
        plain.push_back({"user", result});
      }
      after_result = true;
      continue;
    }
    after_result = false;
    std::string text = message.content;
    for (const ToolCall& call : message.tool_calls) {
      if (!text.empty()) text += "\n";
      text += plain_call(call);
    }
    if (&message == &messages.front() && message.role == "system" && !use.tools.empty()) {
      text += "\n\n" + plain_instructions(use);
    }
    plain.push_back({message.role, std::move(text)});
  }
  return plain;
}

bool has_tool_messages(const std::vector<Message>& messages) {
  return std::any_of(messages.begin(), messages.end(), [](const Message& message) {
    return message.role == "tool" || !message.tool_calls.empty();
  });
}

// The conversation in the template's own form, with `tools` (null: none) told of.
Result<std::vector<TextSpan>> render_own(const Model& model, const ChatTemplate::State& state,
                                         const common_chat_template& parsed,
                                         const std::vector<Message>& messages,
                                         const common_json& tools) {
  const auto render = [&](const std::vector<Message>& all) {
    return render_spans(parsed, messages_json(parsed, all), tools, true, {}, template_time());
  };
  std::vector<TextSpan> spans = render(messages);
  // Templates may rewrite what tools gave, which makes it their own text; but no control token may
  // come of it, or of anything that was said.
  std::vector<Message> neutral = messages;
  for (Message& message : neutral) {
    if (message.content.find_first_not_of(" \t\r\n\v\f") != std::string::npos) {
      message.content = "x";
    }
  }
  LLMPATCH_ASSIGN(const Tokens said, control_tokens(model, spans));
  LLMPATCH_ASSIGN(const Tokens own, control_tokens(model, render(neutral)));
  if (said != own) {
    return unsupported("messages", "found text that the template would make control tokens of");
  }
  drop_bos(state, spans);
  return spans;
}

// Throws what `common` throws.
Result<ToolTurn> open_turn(const Model& model, const ChatTemplate::State& state,
                           const std::vector<Message>& messages, const ToolUse& use) {
  const bool has_tools = !use.tools.empty();
  const common_chat_template& parsed = state.for_tools && (has_tools || has_tool_messages(messages))
                                           ? *state.for_tools
                                           : state.parsed;
  const std::vector<Message> known = with_known_roles(parsed, messages);
  const bool knows_calls = parsed.caps.supports_tools && parsed.caps.supports_tool_calls;
  ToolTurn turn;
  std::vector<TextSpan> spans;
  std::optional<common_chat_params> form;
  if (has_tools) {
    LLMPATCH_ASSIGN(form, own_form(state, parsed, messages_json(parsed, known), use));
  }
  if (form || (!has_tools && knows_calls)) {
    if (form && use.parallel == true && !parsed.caps.supports_parallel_tool_calls) {
      return unsupported("parallel_tool_calls", "this model's form has one call an answer");
    }
    const common_json tools = has_tools ? shown_tools(use.tools) : common_json();
    LLMPATCH_ASSIGN(spans, render_own(model, state, parsed, known, tools));
  } else {
    if (has_tools) form = plain_form(use);
    LLMPATCH_ASSIGN(spans, render_own(model, state, state.parsed,
                                      with_known_roles(state.parsed, plain_messages(messages, use)),
                                      common_json()));
  }
  if (form) LLMPATCH_TRY(take_form(model, use, *form, turn));
  turn.prompt = model.bos();
  LLMPATCH_ASSIGN(const Tokens text, model.tokenize(spans));
  turn.prompt.insert(turn.prompt.end(), text.begin(), text.end());
  return turn;
}

}  // namespace

Result<ToolTurn> open_tool_turn(const Model& model, const std::vector<Message>& messages,
                                const ToolUse& use) {
  if (model.chat_template() == nullptr || messages.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "runtime",
                      "conversation: found no message or no chat template, expected both");
  }
  LLMPATCH_TRY(check_names(use.tools));
  LLMPATCH_TRY(check_no_control(model, messages, use));
  try {
    return open_turn(model, model.chat_template()->state(), messages, use);
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInvalidArgument, "messages",
                      std::string("chat template: refused the conversation: ") + error.what());
  }
}

}  // namespace llmpatch
