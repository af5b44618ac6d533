#include "runtime/template_check.h"

#include <array>
#include <cctype>
#include <string>

namespace llmpatch {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{256} << 10;
constexpr std::size_t kMaxOperators = 1024;
constexpr std::size_t kMaxNesting = 100;

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

Error too_much(const char* what, std::size_t limit) {
  return make_error(
      ErrorKind::kLimit, "runtime",
      std::string("chat template: found more than ") + std::to_string(limit) + " " + what);
}

// A tag: its end, its first word and how many symbols and words outside string literals it has.
struct Tag {
  std::size_t end;
  std::string_view word;
  std::size_t operators = 0;
};

Tag read_tag(std::string_view source, std::size_t begin) {
  Tag tag{source.size(), {}};
  for (std::size_t i = begin; i < source.size();) {
    const char c = source[i];
    if ((c == '%' || c == '}') && i + 1 < source.size() && source[i + 1] == '}') {
      tag.end = i + 2;
      return tag;
    }
    if (c == '\'' || c == '"') {
      for (++i; i < source.size() && source[i] != c; ++i) {
        if (source[i] == '\\') ++i;
      }
      ++i;
    } else if (is_word(c)) {
      const std::size_t start = i;
      while (i < source.size() && is_word(source[i])) ++i;
      const std::string_view word = source.substr(start, i - start);
      if (tag.word.empty()) tag.word = word;
      ++tag.operators;  // `not` and `else` nest like symbols do
    } else {
      if (std::isspace(static_cast<unsigned char>(c)) == 0) ++tag.operators;
      ++i;
    }
  }
  return tag;
}

bool opens_block(std::string_view word) {
  constexpr std::array<std::string_view, 6> kOpening{"if",    "elif", "for",
                                                     "macro", "call", "filter"};
  for (const std::string_view opening : kOpening) {
    if (word == opening) return true;
  }
  return false;
}

}  // namespace

Status check_chat_template(std::string_view source) {
  if (source.size() > kMaxBytes) return too_much("bytes", kMaxBytes);
  std::size_t nesting = 0;
  for (std::size_t i = 0; i + 1 < source.size();) {
    if (source[i] != '{' || (source[i + 1] != '{' && source[i + 1] != '%')) {
      ++i;
      continue;
    }
    const bool block = source[i + 1] == '%';
    const Tag tag = read_tag(source, i + 2);
    if (tag.operators > kMaxOperators) return too_much("operators in a tag", kMaxOperators);
    if (block && opens_block(tag.word)) ++nesting;
    if (block && tag.word.starts_with("end") && nesting > 0) --nesting;
    if (nesting > kMaxNesting) return too_much("nested blocks", kMaxNesting);
    i = tag.end;
  }
  return {};
}

}  // namespace llmpatch
