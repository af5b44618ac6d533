#include "runtime/json_pattern.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/quote.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxBytes = 256;
constexpr int kMaxDepth = 16;
constexpr int kMaxTimes = 1000;
constexpr char32_t kLast = 0x10FFFF;

// Characters from the first to the second, both included; sorted, and apart from each other.
using Range = std::pair<char32_t, char32_t>;
using Set = std::vector<Range>;

Set normal(Set set) {
  std::sort(set.begin(), set.end());
  Set joined;
  for (const Range& range : set) {
    if (!joined.empty() && range.first <= joined.back().second + 1) {
      joined.back().second = std::max(joined.back().second, range.second);
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

Set opposite(const Set& set) {
  Set others;
  char32_t next = 0;
  for (const Range& range : normal(set)) {
    if (range.first > next) others.emplace_back(next, range.first - 1);
    next = range.second + 1;
  }
  if (next <= kLast) others.emplace_back(next, kLast);
  return others;
}

// Without what cannot stand in a JSON string as it is, and what is no character.
Set writable(const Set& set) {
  Set kept = opposite(set);
  for (const Range& range : {Range(0, 0x1F), Range('"', '"'), Range('\\', '\\'), Range(0x7F, 0x7F),
                             Range(0xD800, 0xDFFF)}) {
    kept.push_back(range);
  }
  return opposite(kept);
}

void append_character(char32_t character, std::string& text) {
  const bool is_plain = (character >= '0' && character <= '9') ||
                        (character >= 'a' && character <= 'z') ||
                        (character >= 'A' && character <= 'Z');
  if (is_plain) {
    text += static_cast<char>(character);
    return;
  }
  static constexpr char kDigits[] = "0123456789ABCDEF";
  const int digits = character <= 0xFF ? 2 : character <= 0xFFFF ? 4 : 8;
  text += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
  for (int i = digits - 1; i >= 0; --i) text += kDigits[(character >> (4 * i)) & 15];
}

// As a class of the grammar.
std::string class_text(const Set& set) {
  std::string text = "[";
  for (const auto& [first, last] : set) {
    append_character(first, text);
    if (last > first) {
      text += '-';
      append_character(last, text);
    }
  }
  return text + "]";
}

const Set kDigit{{'0', '9'}};
const Set kWord{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const Set kSpace{{'\t', '\r'}, {' ', ' '}, {0xA0, 0xA0}};

class Reader {
 public:
  explicit Reader(std::string_view pattern) : rest_(pattern) {}

  Result<std::string> read() {
    if (!take('^') || !rest_.ends_with('$'))
      return unsupported("no ^ at its begin and $ at its end");
    rest_.remove_suffix(1);
    LLMPATCH_ASSIGN(const std::string text, read_alternatives(0));
    if (!rest_.empty()) return invalid("a ) too many");
    return "^" + text + "$";
  }

 private:
  static Error unsupported(const std::string& found) {
    return make_error(ErrorKind::kUnsupported, "JSON schema",
                      "pattern: found " + found + ", which cannot be turned into a grammar");
  }
  static Error invalid(const std::string& found) {
    return make_error(ErrorKind::kInvalidArgument, "JSON schema", "pattern: found " + found);
  }

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  Result<std::string> read_alternatives(int depth) {
    std::string text;
    bool is_empty = true;
    for (;;) {
      if (rest_.empty() || rest_.front() == ')') {
        // Nothing is no item that the converter knows.
        if (is_empty) return unsupported("an empty group or alternative");
        return text;
      }
      if (take('|')) {
        if (depth == 0) return unsupported("| outside of a group, which ^ and $ do not go through");
        if (is_empty) return unsupported("an empty group or alternative");
        text += '|';
        is_empty = true;
        continue;
      }
      LLMPATCH_ASSIGN(const std::string atom, read_atom(depth));
      LLMPATCH_ASSIGN(const std::string times, read_times());
      text += atom + times;
      is_empty = false;
    }
  }

  Result<std::string> read_atom(int depth) {
    if (take('(')) {
      if (depth == kMaxDepth) {
        return make_error(ErrorKind::kLimit, "JSON schema",
                          "pattern: found groups over " + std::to_string(kMaxDepth) + " deep");
      }
      if (take('?') && !take(':')) return unsupported("a group that is not read like others");
      LLMPATCH_ASSIGN(const std::string inner, read_alternatives(depth + 1));
      if (!take(')')) return invalid("a ( too many");
      return "(" + inner + ")";
    }
    if (take('[')) return read_class();
    if (take('.')) return text_of(opposite({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}));
    if (take('\\')) {
      LLMPATCH_ASSIGN(const Set set, read_escape());
      return text_of(set);
    }
    const char c = rest_.front();
    if (c == '^' || c == '$') return unsupported("an anchor within it");
    if (c == '*' || c == '+' || c == '?') return invalid("nothing to repeat");
    if (c == '{' || c == '}' || c == ']')
      return unsupported(quote(std::string(1, c)) + " as it is");
    LLMPATCH_ASSIGN(const char32_t character, read_character());
    return text_of({{character, character}});
  }

  static Result<std::string> text_of(const Set& set) {
    const Set kept = writable(set);
    if (kept.empty()) return unsupported("a character that JSON has to escape");
    return class_text(kept);
  }

  Result<char32_t> read_character() {
    std::size_t bytes = 1;
    const auto lead = static_cast<unsigned char>(rest_.front());
    char32_t character = lead;
    if (lead >= 0xC0) {  // the schema is UTF-8
      bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
      character = lead & (0x7F >> bytes);
      if (rest_.size() < bytes) return invalid("half a character");
      for (std::size_t i = 1; i < bytes; ++i) {
        character = character << 6 | (static_cast<unsigned char>(rest_[i]) & 0x3F);
      }
    }
    rest_.remove_prefix(bytes);
    return character;
  }

  Result<Set> read_escape() {
    if (rest_.empty()) return invalid("a \\ at its end");
    const char c = rest_.front();
    rest_.remove_prefix(1);
    switch (c) {
      case 'd':
        return kDigit;
      case 'D':
        return opposite(kDigit);
      case 'w':
        return kWord;
      case 'W':
        return opposite(kWord);
      case 's':
        return kSpace;
      case 'S':
        return opposite(kSpace);
      case 'x':
        return read_code(2);
      case 'u':
        return read_code(4);
      default:
        break;
    }
    const bool is_word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                         (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
    if (is_word) return unsupported(quote("\\" + std::string(1, c < 0 ? '?' : c)));
    const auto character = static_cast<char32_t>(static_cast<unsigned char>(c));
    return Set{{character, character}};
  }

  Result<Set> read_code(std::size_t digits) {
    char32_t code = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = i < rest_.size() ? rest_[i] : '?';
      const int value = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (value < 0) return unsupported("an escape without its digits");
      code = code << 4 | static_cast<char32_t>(value);
    }
    rest_.remove_prefix(digits);
    return Set{{code, code}};
  }

  // One character of a class, or a set of them.
  Result<Set> read_member() {
    if (take('\\')) {
      if (take('b')) return Set{{8, 8}};
      if (take('-')) return Set{{'-', '-'}};
      return read_escape();
    }
    LLMPATCH_ASSIGN(const char32_t character, read_character());
    return Set{{character, character}};
  }

  Result<std::string> read_class() {
    const bool is_opposite = take('^');
    Set set;
    while (!take(']')) {
      if (rest_.empty()) return invalid("a [ without its ]");
      LLMPATCH_ASSIGN(Set member, read_member());
      const bool is_one = member.size() == 1 && member[0].first == member[0].second;
      if (is_one && rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
        rest_.remove_prefix(1);
        LLMPATCH_ASSIGN(const Set last, read_member());
        if (last.size() != 1 || last[0].first != last[0].second ||
            last[0].first < member[0].first) {
          return invalid("a range of characters that is none");
        }
        member[0].second = last[0].first;
      }
      set.insert(set.end(), member.begin(), member.end());
    }
    return text_of(is_opposite ? opposite(set) : normal(set));
  }

  std::optional<int> read_number() {
    int number = 0;
    std::size_t digits = 0;
    while (digits < rest_.size() && digits < 6 && rest_[digits] >= '0' && rest_[digits] <= '9') {
      number = number * 10 + (rest_[digits++] - '0');
    }
    rest_.remove_prefix(digits);
    return digits == 0 ? std::nullopt : std::optional(number);
  }

  Result<std::string> read_times() {
    std::string text;
    if (take('*')) {
      text = "*";
    } else if (take('+')) {
      text = "+";
    } else if (take('?')) {
      text = "?";
    } else if (take('{')) {
      const std::optional<int> least = read_number();
      std::optional<int> most = least;
      const bool is_open = take(',');
      if (is_open) most = read_number();
      if (!least || !take('}')) return unsupported("{ as it is");
      if (most && *most < *least) return invalid("a repetition that is none");
      if (*least > kMaxTimes || (most && (*most > kMaxTimes || *most == 0))) {
        return unsupported("a repetition of 0 or over " + std::to_string(kMaxTimes) + " times");
      }
      text = "{" + std::to_string(*least) + "," + (most ? std::to_string(*most) : "") + "}";
    } else {
      return text;
    }
    // How much it takes at first makes no difference to what it matches.
    take('?');
    if (!rest_.empty() && (rest_.front() == '*' || rest_.front() == '+' || rest_.front() == '?' ||
                           rest_.front() == '{')) {
      return invalid("a repetition of a repetition");
    }
    return text;
  }

  std::string_view rest_;
};

Status rewrite(OrderedJson& schema) {
  if (!schema.is_object()) return {};
  if (const auto pattern = schema.find("pattern"); pattern != schema.end()) {
    LLMPATCH_ASSIGN(*pattern, grammar_pattern(pattern->get_ref<const std::string&>()));
  }
  // Members that are schemas, lists of them, and objects of them.
  for (const char* key :
       {"items", "prefixItems", "additionalProperties", "anyOf", "oneOf", "allOf"}) {
    const auto found = schema.find(key);
    if (found == schema.end()) continue;
    if (!found->is_array()) {
      LLMPATCH_TRY(rewrite(*found));
      continue;
    }
    for (OrderedJson& each : *found) LLMPATCH_TRY(rewrite(each));
  }
  for (const char* key : {"properties", "$defs", "definitions"}) {
    const auto found = schema.find(key);
    if (found == schema.end()) continue;
    for (OrderedJson& each : *found) LLMPATCH_TRY(rewrite(each));
  }
  return {};
}

}  // namespace

Result<std::string> grammar_pattern(std::string_view pattern) {
  if (pattern.size() > kMaxBytes) {
    return make_error(ErrorKind::kLimit, "JSON schema",
                      "pattern: found " + std::to_string(pattern.size()) +
                          " bytes, expected at most " + std::to_string(kMaxBytes));
  }
  return Reader(pattern).read();
}

Result<std::string> with_grammar_patterns(std::string_view schema) {
  if (schema.find("\"pattern\"") == std::string_view::npos) return std::string(schema);
  OrderedJson json = OrderedJson::parse(schema);
  LLMPATCH_TRY(rewrite(json));
  return json.dump();
}

}  // namespace llmpatch
