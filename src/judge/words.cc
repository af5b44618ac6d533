#include "judge/words.h"

#include "base/ascii.h"
#include "base/utf8.h"

namespace llmpatch {
namespace {

enum class Kind { kBreak, kWord, kSymbol };

Kind kind_of(char32_t c) {
  if (c < 0x80) {
    const char ascii = ascii_lower(static_cast<char>(c));
    const bool word =
        (ascii >= 'a' && ascii <= 'z') || (ascii >= '0' && ascii <= '9') || ascii == '_';
    return word ? Kind::kWord : Kind::kBreak;
  }
  const auto within = [c](char32_t first, char32_t last) { return c >= first && c <= last; };
  if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA ? Kind::kWord : Kind::kBreak;
  if (c == 0xD7 || c == 0xF7) return Kind::kBreak;  // the signs of multiplication and division
  // General punctuation, that of East Asia, variation selectors, what is no character.
  if (within(0x2000, 0x206F) || within(0x3000, 0x303F) || within(0xFE00, 0xFE0F) ||
      within(0xFF00, 0xFF0F) || within(0xFFF0, 0xFFFF)) {
    return Kind::kBreak;
  }
  if (within(0x2190, 0x2BFF) || within(0x1F000, 0x1FAFF)) return Kind::kSymbol;
  return Kind::kWord;
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  while (!text.empty()) {
    const std::string_view before = text;
    const Kind kind = kind_of(take_code_point(text));
    const std::string_view bytes = before.substr(0, before.size() - text.size());
    if (kind != Kind::kBreak) {
      if (kind == Kind::kSymbol || !inside) words.emplace_back();
      words.back() += ascii_lower(bytes);
    }
    inside = kind == Kind::kWord;
  }
  return words;
}

}  // namespace llmpatch
