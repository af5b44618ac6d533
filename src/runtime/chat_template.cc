// Includes llama.cpp's `common`, and so must not include base/json.h: `common` brings another
// version of nlohmann's library.
#include "runtime/chat_template.h"

#include <llama.h>
#include <log.h>

#include <ctime>
#include <exception>
#include <mutex>

#include "runtime/chat_template_state.h"
#include "runtime/template_check.h"

namespace llmpatch {
namespace {

std::string token_text(const llama_vocab* vocab, llama_token token) {
  if (token == LLAMA_TOKEN_NULL) return {};
  const char* text = llama_vocab_get_text(vocab, token);
  return text == nullptr ? std::string() : std::string(text);
}

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string::npos;
}

void silence_common_log() {
  static std::once_flag once;
  std::call_once(once, [] { common_log_set_verbosity_thold(-1); });
}

// One that does not parse is left out, as llama.cpp does: conversations do without.
void read_template_for_tools(const llama_model* model, ChatTemplate::State& state) {
  const char* source = llama_model_chat_template(model, "tool_use");
  if (source == nullptr || *source == '\0' || !check_chat_template(source).ok()) return;
  try {
    state.for_tools.emplace(source, state.parsed.bos_tok, state.parsed.eos_tok);
  } catch (const std::exception&) {
    state.for_tools.reset();
  }
}

common_json content_json(const common_chat_template& parsed, const std::string& text) {
  if (parsed.caps.supports_string_content || !parsed.caps.supports_typed_content) {
    return common_json(text);
  }
  common_json part = common_json::object();
  part["type"] = "text";
  part["text"] = text;
  common_json parts = common_json::array();
  parts.push_back(part);
  return parts;
}

common_json calls_json(const common_chat_template& parsed, const std::vector<ToolCall>& calls) {
  common_json list = common_json::array();
  for (const ToolCall& call : calls) {
    common_json function = common_json::object();
    function["name"] = call.name;
    // Some templates go through the arguments, the others print them.
    function["arguments"] = parsed.caps.supports_object_arguments
                                ? common_json::parse(call.arguments)
                                : common_json(call.arguments);
    common_json item = common_json::object();
    if (!call.id.empty()) item["id"] = call.id;
    item["type"] = "function";
    item["function"] = function;
    list.push_back(item);
  }
  return list;
}

}  // namespace

std::time_t template_time() {
  std::tm date{};
  date.tm_year = 2024 - 1900;
  date.tm_mon = 6;
  date.tm_mday = 26;
  date.tm_hour = 12;
  date.tm_isdst = -1;
  return std::mktime(&date);
}

std::vector<Message> with_known_roles(const common_chat_template& parsed,
                                      std::vector<Message> messages) {
  if (!parsed.caps.supports_system_role && messages.front().role == "system" &&
      messages.size() > 1) {
    messages[1].content = messages[0].content + "\n" + messages[1].content;
    messages.erase(messages.begin());
  }
  return messages;
}

common_json messages_json(const common_chat_template& parsed,
                          const std::vector<Message>& messages) {
  common_json list = common_json::array();
  for (const Message& message : messages) {
    common_json item = common_json::object();
    item["role"] = message.role;
    item["content"] = content_json(parsed, message.content);
    if (!message.tool_name.empty()) item["name"] = message.tool_name;
    if (!message.tool_call_id.empty()) item["tool_call_id"] = message.tool_call_id;
    if (!message.tool_calls.empty()) item["tool_calls"] = calls_json(parsed, message.tool_calls);
    list.push_back(item);
  }
  return list;
}

std::vector<TextSpan> render_spans(const common_chat_template& parsed, const common_json& messages,
                                   const common_json& tools, bool open_answer,
                                   const std::string& variables, std::time_t time) {
  common_json own = common_json::object();
  own["bos_token"] = parsed.bos_tok;
  own["eos_token"] = parsed.eos_tok;
  own["enable_thinking"] = true;
  own["add_generation_prompt"] = open_answer;
  own["date_string"] = kDateString;
  own["datetime"] = kDateTime;
  common_json said = common_json::object();
  said["messages"] = messages;
  if (!tools.is_null()) said["tools"] = tools;

  jinja::context context(parsed.src);
  context.current_time = time;
  jinja::global_from_json(context, own, false);
  if (!variables.empty()) {
    jinja::global_from_json(context, common_json::parse(variables), false);
  }
  jinja::global_from_json(context, said, true);  // marks its strings as input
  jinja::runtime runtime(context);
  const auto rendered = jinja::runtime::gather_string_parts(runtime.execute(parsed.prog));
  std::vector<TextSpan> spans;
  for (const auto& part : rendered->val_str.parts) {
    if (!part.val.empty()) spans.push_back({part.val, part.is_input});
  }
  return spans;
}

void drop_bos(const ChatTemplate::State& state, std::vector<TextSpan>& spans) {
  const std::string& bos = state.parsed.bos_tok;
  if (state.adds_bos && !bos.empty() && !spans.empty() && !spans.front().from_message &&
      spans.front().text.starts_with(bos)) {
    spans.front().text.erase(0, bos.size());
    if (spans.front().text.empty()) spans.erase(spans.begin());
  }
}

ChatTemplate::ChatTemplate(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChatTemplate::~ChatTemplate() = default;

Result<std::unique_ptr<ChatTemplate>> ChatTemplate::from_model(const llama_model* model) {
  const char* source = llama_model_chat_template(model, nullptr);
  if (source == nullptr || *source == '\0') return std::unique_ptr<ChatTemplate>();
  LLMPATCH_TRY(check_chat_template(source));
  silence_common_log();
  const llama_vocab* vocab = llama_model_get_vocab(model);
  try {
    auto state = std::make_unique<State>(source, token_text(vocab, llama_vocab_bos(vocab)),
                                         token_text(vocab, llama_vocab_eos(vocab)));
    state->adds_bos = llama_vocab_get_add_bos(vocab);
    read_template_for_tools(model, *state);
    return std::unique_ptr<ChatTemplate>(new ChatTemplate(std::move(state)));
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kCorrupt, "runtime",
                      std::string("chat template: does not parse: ") + error.what());
  }
}

Result<std::vector<TextSpan>> ChatTemplate::render(const std::vector<Message>& messages,
                                                   bool open_answer,
                                                   const std::string& variables) const {
  if (messages.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "runtime",
                      "conversation: found no message, expected at least one");
  }
  std::vector<Message> shown;
  for (const Message& message : messages) shown.push_back({message.role, message.content});
  shown = with_known_roles(state_->parsed, std::move(shown));
  std::vector<Message> neutral = shown;
  for (Message& message : neutral) {
    if (!is_blank(message.content)) message.content = "x";
  }
  try {
    const auto render_all = [&](const std::vector<Message>& all) {
      return render_spans(state_->parsed, messages_json(state_->parsed, all), common_json(),
                          open_answer, variables, template_time());
    };
    std::vector<TextSpan> spans = render_all(shown);
    // What the template itself writes must not depend on what was said: else words of a message
    // would pass for the template's own text.
    const auto own_text = [](const std::vector<TextSpan>& from) {
      std::string text;
      for (const TextSpan& span : from) {
        if (!span.from_message) text += span.text;
      }
      return text;
    };
    if (own_text(spans) != own_text(render_all(neutral))) {
      return make_error(
          ErrorKind::kUnsupported, "runtime",
          "chat template: it rewrites the text of messages, so control tokens in them "
          "could not be told from its own",
          "use --format raw");
    }
    drop_bos(*state_, spans);
    return spans;
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInvalidArgument, "runtime",
                      std::string("chat template: refused the conversation: ") + error.what());
  }
}

}  // namespace llmpatch
