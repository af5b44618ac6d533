#include "eval/answer_cache.h"

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"

namespace llmpatch {
namespace {

// The answer a line holds; nullopt when it is not one of ours or belongs to another prompt.
std::optional<Answer> answer_of(const Json& line, const std::string& digest, std::size_t n_vocab) {
  const auto prompt = json_string(line, "prompt", "cache");
  const auto tokens = json_array(line, "tokens", "cache");
  if (!prompt.ok() || !tokens.ok() || *prompt != digest) return std::nullopt;
  Answer answer;
  for (const auto& token : *tokens) {
    if (!token.is_number_unsigned() || token.get<std::uint64_t>() >= n_vocab) return std::nullopt;
    answer.tokens.push_back(token.get<Token>());
  }
  if (!line.contains("ended") || !line["ended"].is_boolean()) return std::nullopt;
  answer.ended = line["ended"].get<bool>();
  return answer;
}

}  // namespace

AnswerCache::AnswerCache(const std::filesystem::path& directory, const std::string& key,
                         std::size_t n_vocab)
    : n_vocab_(n_vocab) {
  if (!directory.empty()) file_ = directory / ("answers-" + sha256_hex(key) + ".jsonl");
}

std::vector<Answer> AnswerCache::load(const std::vector<std::string>& prompt_digests) const {
  if (file_.empty()) return {};
  const auto lines = read_json_lines(file_, "cached answers");
  if (!lines.ok() || lines->size() > prompt_digests.size()) return {};
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < lines->size(); ++i) {
    auto answer = answer_of((*lines)[i].value, prompt_digests[i], n_vocab_);
    if (!answer) return {};
    answers.push_back(std::move(*answer));
  }
  return answers;
}

Status AnswerCache::save(const std::vector<Answer>& answers,
                         const std::vector<std::string>& prompt_digests) const {
  if (file_.empty()) return {};
  std::error_code code;
  std::filesystem::create_directories(file_.parent_path(), code);
  if (code) {
    return make_error(ErrorKind::kIo, "eval",
                      "create " + file_.parent_path().string() + ": " + code.message());
  }
  std::string text;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Json line{
        {"prompt", prompt_digests[i]}, {"tokens", answers[i].tokens}, {"ended", answers[i].ended}};
    text += json_line(line) + "\n";
  }
  return write_file_atomic(file_, text);
}

}  // namespace llmpatch
