#include "learn/answer_file.h"

#include <map>
#include <utility>

namespace llmpatch {

std::string answers_line(const Prompt& prompt, const Answers& answers,
                         std::optional<PromptFormat> format) {
  OrderedJson line{{"prompt_digest", prompt.digest()}, {"prompt", prompt.text()}};
  if (format) line["format"] = *format == PromptFormat::kChat ? "chat" : "raw";
  line["responses"] = answers.texts;
  line["complete"] = answers.complete;
  return json_line(line) + "\n";
}

Result<Answers> parse_answers(const Json& line, const std::string& where) {
  LLMPATCH_ASSIGN(const Json responses, json_array(line, "responses", where));
  LLMPATCH_ASSIGN(const Json complete, json_array(line, "complete", where));
  if (responses.size() != complete.size()) return other_answers(where);
  Answers answers;
  for (std::size_t i = 0; i < responses.size(); ++i) {
    if (!responses[i].is_string() || !complete[i].is_boolean()) {
      return make_error(ErrorKind::kCorrupt, "learn",
                        where + ": found another type, expected text");
    }
    answers.texts.push_back(responses[i].get<std::string>());
    answers.complete.push_back(complete[i].get<bool>());
  }
  return answers;
}

Error other_answers(const std::string& where) {
  return make_error(ErrorKind::kCorrupt, "learn", where + ": found an answer to another prompt",
                    "remove the file to generate it again");
}

std::vector<std::size_t> first_places(const std::vector<Prompt>& prompts,
                                      const std::vector<PromptFormat>& formats) {
  std::map<std::pair<std::string, PromptFormat>, std::size_t> places;
  std::vector<std::size_t> first;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    first.push_back(places.try_emplace({prompts[i].digest(), formats[i]}, i).first->second);
  }
  return first;
}

}  // namespace llmpatch
