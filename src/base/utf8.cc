#include "base/utf8.h"

#include <optional>

namespace llmpatch {
namespace {

unsigned char byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

bool continues(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// The character at the front of `text`, which loses its bytes; where there is none, the text stays.
std::optional<char32_t> take_character(std::string_view& text) {
  const unsigned char first = byte_at(text, 0);
  std::size_t length = 1;
  char32_t value = first;
  char32_t least = 0;
  if (first >= 0xF0 && first < 0xF8) {
    length = 4, value = first & 0x07u, least = 0x10000;
  } else if (first >= 0xE0 && first < 0xF0) {
    length = 3, value = first & 0x0Fu, least = 0x800;
  } else if (first >= 0xC0 && first < 0xE0) {
    length = 2, value = first & 0x1Fu, least = 0x80;
  } else if (first >= 0x80) {
    return std::nullopt;  // a continuation, or no byte of UTF-8 at all
  }
  if (length > text.size()) return std::nullopt;
  for (std::size_t i = 1; i < length; ++i) {
    if (!continues(byte_at(text, i))) return std::nullopt;
    value = value << 6 | (byte_at(text, i) & 0x3Fu);
  }
  if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
    return std::nullopt;
  }
  text.remove_prefix(length);
  return value;
}

}  // namespace

char32_t take_code_point(std::string_view& text) {
  if (const auto character = take_character(text)) return *character;
  text.remove_prefix(1);
  return kReplacementCharacter;
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!take_character(bytes)) return false;
  }
  return true;
}

std::size_t count_characters(std::string_view bytes) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (!continues(byte_at(bytes, i))) ++count;
  }
  return count;
}

}  // namespace llmpatch
