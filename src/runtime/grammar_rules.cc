#include "runtime/grammar_rules.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace llmpatch {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxDepth = 100;
constexpr std::size_t kMaxElements = 1000000;
constexpr std::size_t kMaxRepetitions = 2000;  // libllama's
constexpr std::size_t kEndless = static_cast<std::size_t>(-1);

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || is_digit(c);
}
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// The item that a repetition sign applies to.
struct Item {
  std::optional<std::size_t> symbol;  // a rule, kTerminal, or nothing for ""
  std::size_t elements = 0;           // libllama's, repetitions written out
  std::size_t rules = 1;              // libllama's count of rules a repetition multiplies
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<GrammarRules> parse() {
    if (text_.size() > kMaxBytes) {
      return limit("bytes", text_.size(), kMaxBytes);
    }
    skip(true);
    while (!at_end()) LLMPATCH_TRY(rule());
    for (const GrammarRules::Rule& rule : grammar_.rules) {
      if (rule.alternatives.empty()) return invalid("rule '" + rule.name + "' is not defined");
    }
    return std::move(grammar_);
  }

 private:
  using Alternative = std::vector<std::size_t>;

  bool at_end() const { return at_ == text_.size(); }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  Error invalid(const std::string& what) const {
    const auto line =
        std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n') + 1;
    return make_error(ErrorKind::kInvalidArgument, "runtime",
                      "grammar, line " + std::to_string(line) + ": " + what);
  }
  static Error limit(const std::string& what, std::size_t found, std::size_t most) {
    return make_error(ErrorKind::kLimit, "runtime",
                      "grammar: found " + std::to_string(found) + " " + what +
                          ", expected at most " + std::to_string(most));
  }

  // White space and comments; line ends only where they mean nothing.
  void skip(bool lines) {
    while (!at_end()) {
      const char c = peek();
      if (c == '#') {
        while (!at_end() && peek() != '\r' && peek() != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || (lines && (c == '\r' || c == '\n'))) {
        ++at_;
      } else {
        return;
      }
    }
  }

  Result<std::string> name() {
    const std::size_t begin = at_;
    while (is_word(peek())) ++at_;
    if (at_ == begin) return invalid("expected the name of a rule");
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::size_t rule_of(const std::string& name) {
    const auto [entry, added] = names_.emplace(name, grammar_.rules.size());
    if (added) {
      grammar_.rules.push_back({name, {}});
      ++symbols_;
    }
    return entry->second;
  }
  std::size_t new_rule() {
    grammar_.rules.push_back({});
    return grammar_.rules.size() - 1;
  }

  Status rule() {
    LLMPATCH_ASSIGN(const std::string named, name());
    const std::size_t index = rule_of(named);
    skip(false);
    if (text_.substr(at_, 3) != "::=") return invalid("expected '::=' after '" + named + "'");
    at_ += 3;
    skip(true);
    if (!grammar_.rules[index].alternatives.empty()) {
      return invalid("rule '" + named + "' is defined twice");
    }
    LLMPATCH_TRY(alternatives(index, 0));
    if (!at_end() && peek() != '\r' && peek() != '\n') return invalid("expected the end of a rule");
    skip(true);
    return {};
  }

  Status alternatives(std::size_t rule, std::size_t depth) {
    std::vector<Alternative> found;
    for (;;) {
      LLMPATCH_ASSIGN(Alternative sequence, this->sequence(depth));
      found.push_back(std::move(sequence));
      if (peek() != '|') break;
      ++at_;
      skip(true);
    }
    grammar_.rules[rule].alternatives = std::move(found);
    return {};
  }

  static void append(Alternative& sequence, std::size_t symbol) {
    if (sequence.empty() || sequence.back() != GrammarRules::kTerminal) sequence.push_back(symbol);
  }

  Result<Alternative> sequence(std::size_t depth) {
    if (depth > kMaxDepth) return limit("levels of nesting", depth, kMaxDepth);
    Alternative sequence;
    for (;;) {
      LLMPATCH_ASSIGN(std::optional<Item> item, this->item(depth));
      if (!item) return sequence;
      const bool lines = depth > 0;
      skip(lines);
      bool again = true;
      while (again) {
        LLMPATCH_ASSIGN(again, repetition(*item));
        skip(lines);
      }
      if (item->symbol) append(sequence, *item->symbol);
      elements_ += item->elements;
      if (elements_ > kMaxElements) return limit("elements", elements_, kMaxElements);
    }
  }

  Result<std::optional<Item>> item(std::size_t depth) {
    const char c = peek();
    if (at_end()) return std::optional<Item>();
    Item item;
    if (c == '"') {
      ++at_;
      while (peek() != '"') {
        LLMPATCH_TRY(character());
        ++item.elements;
      }
      ++at_;
      if (item.elements > 0) item.symbol = GrammarRules::kTerminal;
    } else if (c == '[') {
      LLMPATCH_ASSIGN(item.elements, character_class());
      item.symbol = GrammarRules::kTerminal;
    } else if (c == '.') {
      ++at_;
      item.symbol = GrammarRules::kTerminal;
      item.elements = 1;
    } else if (c == '<' || c == '!') {
      LLMPATCH_TRY(token());
      item.symbol = GrammarRules::kTerminal;
      item.elements = 1;
    } else if (is_word(c)) {
      LLMPATCH_ASSIGN(const std::string named, name());
      item.symbol = rule_of(named);
      item.elements = 1;
    } else if (c == '(') {
      ++at_;
      skip(true);
      const std::size_t before = symbols_++;
      const std::size_t group = new_rule();
      LLMPATCH_TRY(alternatives(group, depth + 1));
      if (peek() != ')') return invalid("expected ')'");
      ++at_;
      item.symbol = group;
      item.elements = 1;
      item.rules = symbols_ - before;
    } else {
      return std::optional<Item>();
    }
    return std::optional<Item>(item);
  }

  // One character of a literal or class.
  Status character() {
    if (at_end()) return invalid("found the end inside a literal or class");
    const auto byte = static_cast<unsigned char>(peek());
    if (byte == 0) return invalid("found a zero byte");
    if (byte == '\\') {
      const char escape = peek(1);
      const std::size_t digits = escape == 'x' ? 2 : escape == 'u' ? 4 : escape == 'U' ? 8 : 0;
      if (digits == 0 && std::string_view("trn\\\"[]-").find(escape) == std::string_view::npos) {
        return invalid("found an unknown escape");
      }
      for (std::size_t i = 0; i < digits; ++i) {
        if (!is_hex(peek(2 + i))) return invalid("expected hexadecimal digits after an escape");
      }
      at_ += 2 + digits;
      return {};
    }
    std::size_t more = 0;
    if (byte >= 0xF8 || (byte >= 0x80 && byte < 0xC0)) return invalid("found invalid UTF-8");
    if (byte >= 0xC0) more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    for (std::size_t i = 1; i <= more; ++i) {
      if ((static_cast<unsigned char>(peek(i)) & 0xC0) != 0x80)
        return invalid("found invalid UTF-8");
    }
    at_ += 1 + more;
    return {};
  }

  // Returns how many elements it has.
  Result<std::size_t> character_class() {
    ++at_;
    if (peek() == '^') ++at_;
    std::size_t elements = 0;
    while (peek() != ']') {
      LLMPATCH_TRY(character());
      ++elements;
      if (peek() == '-' && peek(1) != ']') {
        ++at_;
        LLMPATCH_TRY(character());
        ++elements;
      }
    }
    ++at_;
    if (elements == 0) return invalid("found a class without characters");
    return elements;
  }

  // <[number]>, or ! before it.
  Status token() {
    if (peek() == '!') ++at_;
    if (peek() != '<' || peek(1) != '[') return invalid("found a token by name, expected <[id]>");
    at_ += 2;
    LLMPATCH_TRY(number());
    if (peek() != ']' || peek(1) != '>') return invalid("expected ]> after a token id");
    at_ += 2;
    return {};
  }

  Result<std::size_t> number() {
    std::size_t value = 0;
    const std::size_t begin = at_;
    for (; is_digit(peek()) && at_ - begin < 9; ++at_) {
      value = value * 10 + static_cast<std::size_t>(peek() - '0');
    }
    if (at_ == begin || is_digit(peek())) return invalid("expected a number of 1 to 9 digits");
    return value;
  }

  // {n}, {n,} or {n,m}.
  Status times(std::size_t& least, std::size_t& most) {
    ++at_;
    skip(false);
    LLMPATCH_ASSIGN(least, number());
    most = least;
    skip(false);
    if (peek() == ',') {
      ++at_;
      skip(false);
      most = kEndless;
      if (is_digit(peek())) {
        LLMPATCH_ASSIGN(most, number());
      }
      skip(false);
    }
    if (peek() != '}') return invalid("expected '}'");
    ++at_;
    if (most < least) return invalid("found a repetition whose most is below its least");
    return {};
  }

  // Applies a repetition sign, if one is there, to the item before it.
  Result<bool> repetition(Item& item) {
    std::size_t least = 0, most = kEndless;
    switch (peek()) {
      case '*':
        ++at_;
        break;
      case '+':
        ++at_;
        least = 1;
        break;
      case '?':
        ++at_;
        most = 1;
        break;
      case '{':
        LLMPATCH_TRY(times(least, most));
        break;
      default:
        return false;
    }
    if (item.elements == 0) return invalid("found a repetition of nothing");
    if (least > kMaxRepetitions) return limit("repetitions", least, kMaxRepetitions);
    if (most > kMaxRepetitions) most = kEndless;  // as libllama
    const bool endless = most == kEndless;
    item.rules *= std::max<std::size_t>(endless || most == 0 ? least : most, 1);
    if (item.rules > kMaxRepetitions) return limit("repeated rules", item.rules, kMaxRepetitions);

    const std::size_t optional = endless ? 1 : most - least;
    symbols_ += optional;
    item.elements = item.elements * least + optional * (item.elements + 3) + 1;
    if (item.elements > kMaxElements) return limit("elements", item.elements, kMaxElements);
    if (most == 0) {
      item = {};
    } else if (item.symbol && (most > 1 || least == 0)) {
      const std::size_t rule = new_rule();
      Alternative some{*item.symbol};
      // What may be empty and is repeated begins with itself: as any rule that does, refused later.
      if (most > 1 && *item.symbol != GrammarRules::kTerminal) some.push_back(rule);
      grammar_.rules[rule].alternatives = {std::move(some)};
      if (least == 0) grammar_.rules[rule].alternatives.emplace_back();
      item.symbol = rule;
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  GrammarRules grammar_;
  std::map<std::string, std::size_t> names_;
  std::size_t symbols_ = 0;  // names libllama makes: of rules, groups and repetitions
  std::size_t elements_ = 0;
};

}  // namespace

Result<GrammarRules> parse_grammar(std::string_view text) { return Parser(text).parse(); }

}  // namespace llmpatch
