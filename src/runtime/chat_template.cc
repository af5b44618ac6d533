// The only file that includes llama.cpp's `common`. It must not include base/json.h: `common`
// brings another version of nlohmann's library.
#include "runtime/chat_template.h"

#include <chat.h>
#include <json.h>
#include <llama.h>
#include <log.h>

#include <ctime>
#include <exception>
#include <mutex>
#include <optional>

#include "runtime/template_check.h"

namespace llmpatch {
namespace {

// Noon of kTemplateDate, local time, so that templates print this date in every time zone.
std::time_t template_time() {
  std::tm date{};
  date.tm_year = 2024 - 1900;
  date.tm_mon = 6;
  date.tm_mday = 26;
  date.tm_hour = 12;
  date.tm_isdst = -1;
  return std::mktime(&date);
}

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

}  // namespace

struct ChatTemplate::State {
  State(const std::string& source, const std::string& bos, const std::string& eos)
      : parsed(source, bos, eos) {}

  common_chat_template parsed;
  bool adds_bos = false;

  common_json content(const std::string& text) const {
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

  // Throws what the template throws.
  std::vector<TextSpan> render(const std::vector<Message>& messages, bool open_answer,
                               const std::string& variables) const {
    common_json list = common_json::array();
    for (const Message& message : messages) {
      common_json item = common_json::object();
      item["role"] = message.role;
      item["content"] = content(message.content);
      list.push_back(item);
    }
    common_json own = common_json::object();
    own["bos_token"] = parsed.bos_tok;
    own["eos_token"] = parsed.eos_tok;
    own["enable_thinking"] = true;
    own["add_generation_prompt"] = open_answer;
    own["date_string"] = "26 Jul 2024";  // kTemplateDate in the form Llama's templates use
    own["datetime"] = "Jul 26 2024";
    common_json said = common_json::object();
    said["messages"] = list;

    jinja::context context(parsed.src);
    context.current_time = template_time();
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
};

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
  std::vector<Message> shown = messages;
  // Templates without a system role get it in front of the first user message, as llama.cpp does.
  if (!state_->parsed.caps.supports_system_role && shown.front().role == "system" &&
      shown.size() > 1) {
    shown[1].content = shown[0].content + "\n" + shown[1].content;
    shown.erase(shown.begin());
  }
  std::vector<Message> neutral = shown;
  for (Message& message : neutral) {
    if (!is_blank(message.content)) message.content = "x";
  }
  try {
    std::vector<TextSpan> spans = state_->render(shown, open_answer, variables);
    // What the template itself writes must not depend on what was said: else words of a message
    // would pass for the template's own text.
    const auto own_text = [](const std::vector<TextSpan>& from) {
      std::string text;
      for (const TextSpan& span : from) {
        if (!span.from_message) text += span.text;
      }
      return text;
    };
    if (own_text(spans) != own_text(state_->render(neutral, open_answer, variables))) {
      return make_error(
          ErrorKind::kUnsupported, "runtime",
          "chat template: it rewrites the text of messages, so control tokens in them "
          "could not be told from its own",
          "use --format raw");
    }
    const std::string& bos = state_->parsed.bos_tok;
    if (state_->adds_bos && !bos.empty() && !spans.empty() && !spans.front().from_message &&
        spans.front().text.starts_with(bos)) {
      spans.front().text.erase(0, bos.size());
      if (spans.front().text.empty()) spans.erase(spans.begin());
    }
    return spans;
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInvalidArgument, "runtime",
                      std::string("chat template: refused the conversation: ") + error.what());
  }
}

}  // namespace llmpatch
