// Finds control tokens in rendered text, but never in what a user wrote.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

struct llama_vocab;

namespace llmpatch {

struct TextSpan;

// Either a token that was found, or text between such tokens (to be tokenised without parsing).
using TextPiece = std::variant<std::int32_t, std::string>;

// The tokens of a vocabulary that text tokenises to only when asked for: control and unknown
// tokens. (User-defined ones match everywhere, by libllama itself.) Immutable: thread-safe.
class SpecialTokens {
 public:
  explicit SpecialTokens(const llama_vocab* vocab);

  // Cuts the text of all spans at the special tokens that lie wholly in the template's own text, by
  // libllama's rules: longest token first, white space beside it dropped where the token says so.
  // Text around the cuts is joined across spans, as the model saw it in training.
  std::vector<TextPiece> split(std::span<const TextSpan> spans) const;

 private:
  struct Special {
    std::int32_t id;
    std::string text;
    bool strip_left, strip_right;
  };
  std::vector<Special> tokens_;  // longest text first
};

}  // namespace llmpatch
