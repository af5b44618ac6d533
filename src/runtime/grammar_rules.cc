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
constexpr std::size_t kMaxRepetitions = 2000;
constexpr std::size_t kEndless = static_cast<std::size_t>(-1);

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || is_digit(c);
}
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::uint32_t hex_value(char c) {
  return static_cast<std::uint32_t>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
}

// Those of them that hold anything, merged where they touch.
std::vector<GrammarTerminal::Range> in_order(std::vector<GrammarTerminal::Range> ranges) {
  std::erase_if(ranges, [](const auto& range) { return range.second < range.first; });
  std::sort(ranges.begin(), ranges.end());
  std::vector<GrammarTerminal::Range> merged;
  for (const auto& range : ranges) {
    if (merged.empty() || range.first > std::uint64_t{merged.back().second} + 1) {
      merged.push_back(range);
    } else {
      merged.back().second = std::max(merged.back().second, range.second);
    }
  }
  return merged;
}

using Sequence = std::vector<GrammarSymbol>;

// The item that a repetition sign applies to.
struct Item {
  Sequence symbols;
  std::size_t elements = 0;  // repetitions written out
  std::size_t rules = 1;     // of repetitions within repetitions
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
    std::vector<Sequence> found;
    for (;;) {
      LLMPATCH_ASSIGN(Sequence sequence, this->sequence(depth));
      found.push_back(std::move(sequence));
      if (peek() != '|') break;
      ++at_;
      skip(true);
    }
    grammar_.rules[rule].alternatives = std::move(found);
    return {};
  }

  static GrammarSymbol rule_symbol(std::size_t rule) {
    return {false, static_cast<std::uint32_t>(rule)};
  }
  GrammarSymbol terminal_symbol(GrammarTerminal terminal) {
    grammar_.terminals.push_back(std::move(terminal));
    return {true, static_cast<std::uint32_t>(grammar_.terminals.size() - 1)};
  }

  Result<Sequence> sequence(std::size_t depth) {
    if (depth > kMaxDepth) return limit("levels of nesting", depth, kMaxDepth);
    Sequence sequence;
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
      sequence.insert(sequence.end(), item->symbols.begin(), item->symbols.end());
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
        LLMPATCH_ASSIGN(const std::uint32_t code, character());
        item.symbols.push_back(terminal_symbol({.ranges = {{code, code}}}));
      }
      ++at_;
      item.elements = item.symbols.size();
    } else if (c == '[') {
      LLMPATCH_ASSIGN(GrammarTerminal terminal, character_class());
      item.elements = 2 * terminal.ranges.size();
      item.symbols = {terminal_symbol(std::move(terminal))};
    } else if (c == '.') {
      ++at_;
      item.symbols = {terminal_symbol({.is_negated = true, .ranges = {}})};
      item.elements = 1;
    } else if (c == '<' || c == '!') {
      LLMPATCH_ASSIGN(GrammarTerminal terminal, token());
      item.symbols = {terminal_symbol(std::move(terminal))};
      item.elements = 1;
    } else if (is_word(c)) {
      LLMPATCH_ASSIGN(const std::string named, name());
      item.symbols = {rule_symbol(rule_of(named))};
      item.elements = 1;
    } else if (c == '(') {
      ++at_;
      skip(true);
      const std::size_t before = symbols_++;
      const std::size_t group = new_rule();
      LLMPATCH_TRY(alternatives(group, depth + 1));
      if (peek() != ')') return invalid("expected ')'");
      ++at_;
      item.symbols = {rule_symbol(group)};
      item.elements = 1;
      item.rules = symbols_ - before;
    } else {
      return std::optional<Item>();
    }
    return std::optional<Item>(item);
  }

  // One character of a literal or class.
  Result<std::uint32_t> character() {
    if (at_end()) return invalid("found the end inside a literal or class");
    const auto byte = static_cast<unsigned char>(peek());
    if (byte == 0) return invalid("found a zero byte");
    if (byte == '\\') return escape();
    if (byte >= 0xF8 || (byte >= 0x80 && byte < 0xC0)) return invalid("found invalid UTF-8");
    const std::size_t more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC0 ? 1 : 0;
    std::uint32_t code = more == 0 ? byte : byte & (0x3Fu >> more);
    for (std::size_t i = 1; i <= more; ++i) {
      const auto next = static_cast<unsigned char>(peek(i));
      if ((next & 0xC0) != 0x80) return invalid("found invalid UTF-8");
      code = code << 6 | (next & 0x3Fu);
    }
    at_ += 1 + more;
    return code;
  }

  Result<std::uint32_t> escape() {
    const char kind = peek(1);
    const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (!is_hex(peek(2 + i))) return invalid("expected hexadecimal digits after an escape");
      code = code << 4 | hex_value(peek(2 + i));
    }
    if (digits == 0) {
      constexpr std::string_view kKinds = "trn\\\"[]-", kCodes = "\t\r\n\\\"[]-";
      const std::size_t found = kKinds.find(kind);
      if (found == std::string_view::npos) return invalid("found an unknown escape");
      code = static_cast<unsigned char>(kCodes[found]);
    }
    at_ += 2 + digits;
    return code;
  }

  Result<GrammarTerminal> character_class() {
    ++at_;
    GrammarTerminal terminal;
    terminal.is_negated = peek() == '^';
    if (terminal.is_negated) ++at_;
    while (peek() != ']') {
      LLMPATCH_ASSIGN(const std::uint32_t first, character());
      std::uint32_t last = first;
      if (peek() == '-' && peek(1) != ']') {
        ++at_;
        LLMPATCH_ASSIGN(last, character());
      }
      terminal.ranges.emplace_back(first, last);
    }
    ++at_;
    if (terminal.ranges.empty()) return invalid("found a class without characters");
    terminal.ranges = in_order(std::move(terminal.ranges));
    return terminal;
  }

  // <[number]>, or ! before it.
  Result<GrammarTerminal> token() {
    GrammarTerminal terminal;
    terminal.is_token = true;
    terminal.is_negated = peek() == '!';
    if (terminal.is_negated) ++at_;
    if (peek() != '<' || peek(1) != '[') return invalid("found a token by name, expected <[id]>");
    at_ += 2;
    LLMPATCH_ASSIGN(const std::size_t number, this->number());
    const auto id = static_cast<std::uint32_t>(number);
    if (peek() != ']' || peek(1) != '>') return invalid("expected ]> after a token id");
    at_ += 2;
    terminal.ranges = {{id, id}};
    return terminal;
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
    if (most > kMaxRepetitions) most = kEndless;
    const bool endless = most == kEndless;
    item.rules *= std::max<std::size_t>(endless || most == 0 ? least : most, 1);
    if (item.rules > kMaxRepetitions) return limit("repeated rules", item.rules, kMaxRepetitions);

    const std::size_t optional = endless ? 1 : most - least;
    symbols_ += optional;
    item.elements = item.elements * least + optional * (item.elements + 3) + 1;
    if (item.elements > kMaxElements) return limit("elements", item.elements, kMaxElements);
    if (most == 0) {
      item = {};
    } else if (least != 1 || most != 1) {
      write_out(item, least, endless ? std::nullopt : std::optional(optional));
    }
    return true;
  }

  // `least` times the item, then it up to `optional` times; no number: any.
  void write_out(Item& item, std::size_t least, std::optional<std::size_t> optional) {
    if (item.symbols.size() > 1) {
      const std::size_t group = new_rule();
      grammar_.rules[group].alternatives = {std::move(item.symbols)};
      item.symbols = {rule_symbol(group)};
    }
    const GrammarSymbol once = item.symbols.front();
    item.symbols.assign(least, once);
    if (!optional) {
      const std::size_t rule = new_rule();
      grammar_.rules[rule].alternatives = {{once, rule_symbol(rule)}, {}};
      item.symbols.push_back(rule_symbol(rule));
      return;
    }
    std::optional<GrammarSymbol> rest;
    for (std::size_t i = 0; i < *optional; ++i) {
      Sequence some{once};
      if (rest) some.push_back(*rest);
      const std::size_t rule = new_rule();
      grammar_.rules[rule].alternatives = {std::move(some), {}};
      rest = rule_symbol(rule);
    }
    if (rest) item.symbols.push_back(*rest);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  GrammarRules grammar_;
  std::map<std::string, std::size_t> names_;
  std::size_t symbols_ = 0;  // rules, groups and repetitions
  std::size_t elements_ = 0;
};

}  // namespace

bool GrammarTerminal::takes_any(std::uint32_t first, std::uint32_t last) const {
  const auto range =
      std::lower_bound(ranges.begin(), ranges.end(), first,
                       [](const Range& each, std::uint32_t value) { return each.second < value; });
  if (range == ranges.end()) return is_negated;
  return is_negated ? first < range->first || range->second < last : range->first <= last;
}

Result<GrammarRules> parse_grammar(std::string_view text) { return Parser(text).parse(); }

}  // namespace llmpatch
