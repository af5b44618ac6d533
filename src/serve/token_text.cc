#include "serve/token_text.h"

#include <algorithm>

#include "base/hex.h"
#include "base/utf8.h"

namespace llmpatch {
namespace {

// JSON has no infinity; OpenAI's API says this for what cannot be.
constexpr float kNever = -9999;

std::string bytes_of(const Model& model, Token token) {
  return model.text({&token, 1}, /*special=*/true);
}

Json bytes_json(std::string_view bytes) {
  Json list = Json::array();
  for (const char byte : bytes) list.push_back(static_cast<unsigned char>(byte));
  return list;
}

// A key of top_logprobs: text, or "bytes:\xe2\x80" for part of a character.
std::string label_of(const std::string& bytes) {
  if (is_utf8(bytes)) return bytes;
  std::string text = "bytes:";
  for (const char byte : bytes) text += "\\x" + hex_encode({&byte, 1});
  return text;
}

Json chat_token(const Model& model, Token token, float logprob) {
  const std::string bytes = bytes_of(model, token);
  return {{"token", bytes}, {"bytes", bytes_json(bytes)}, {"logprob", std::max(logprob, kNever)}};
}

}  // namespace

Json chat_logprobs(const Model& model, std::span<const TokenLogprob> tokens) {
  Json list = Json::array();
  for (const TokenLogprob& each : tokens) {
    Json item = chat_token(model, each.token, each.logprob);
    Json top = Json::array();
    for (const auto& [token, logprob] : each.top) top.push_back(chat_token(model, token, logprob));
    item["top_logprobs"] = std::move(top);
    list.push_back(std::move(item));
  }
  return list;
}

Json completion_logprobs(const Model& model, std::span<const TokenLogprob> tokens,
                         bool alternatives, bool has_first, std::size_t& offset) {
  Json texts = Json::array(), logprobs = Json::array(), tops = Json::array(),
       offsets = Json::array();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const TokenLogprob& each = tokens[i];
    const std::string bytes = bytes_of(model, each.token);
    texts.push_back(label_of(bytes));
    offsets.push_back(offset);
    offset += count_characters(bytes);
    if (has_first && i == 0) {
      logprobs.push_back(nullptr);
      tops.push_back(nullptr);
      continue;
    }
    logprobs.push_back(std::max(each.logprob, kNever));
    Json top = Json::object();
    for (const auto& [token, logprob] : each.top) {
      top[label_of(bytes_of(model, token))] = std::max(logprob, kNever);
    }
    tops.push_back(std::move(top));
  }
  return {{"tokens", std::move(texts)},
          {"token_logprobs", std::move(logprobs)},
          {"top_logprobs", alternatives ? std::move(tops) : Json()},
          {"text_offset", std::move(offsets)}};
}

}  // namespace llmpatch
