// What a chat template is to llama.cpp's `common`. For the files that include it alone: they must
// not include base/json.h, since `common` brings another version of nlohmann's library.
#pragma once

#include <chat-auto-parser.h>
#include <chat.h>
#include <json.h>

#include <ctime>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/chat_template.h"

namespace llmpatch {

// kTemplateDate in the forms that Llama's templates use.
inline constexpr const char* kDateString = "26 Jul 2024";
inline constexpr const char* kDateTime = "Jul 26 2024";

// Noon of kTemplateDate, local time, so that templates print this date in every time zone.
std::time_t template_time();

struct ChatTemplate::State {
  State(const std::string& source, const std::string& bos, const std::string& eos)
      : parsed(source, bos, eos) {}

  common_chat_template parsed;
  std::optional<common_chat_template> for_tools;  // where the model has one of its own for them
  bool adds_bos = false;

  // How the form of calls was found out from the template; once, since that renders it many times.
  mutable std::once_flag analysed;
  mutable autoparser::autoparser analysis;
};

// The system message in front of the first one where the template has no such role, as llama.cpp
// does.
std::vector<Message> with_known_roles(const common_chat_template& parsed,
                                      std::vector<Message> messages);

// Every message as templates get them. Throws where arguments are no JSON and the template wants
// it.
common_json messages_json(const common_chat_template& parsed, const std::vector<Message>& messages);

// `tools` may be null. Throws what the template throws.
std::vector<TextSpan> render_spans(const common_chat_template& parsed, const common_json& messages,
                                   const common_json& tools, bool open_answer,
                                   const std::string& variables, std::time_t time);

// Leaves the beginning of the text to Model::bos.
void drop_bos(const ChatTemplate::State& state, std::vector<TextSpan>& spans);

}  // namespace llmpatch
