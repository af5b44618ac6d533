// A GBNF grammar as rules of terminals and other rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace llmpatch {

// What takes one character, or one token as a whole.
struct GrammarTerminal {
  using Range = std::pair<std::uint32_t, std::uint32_t>;  // both ends are in it
  bool is_token = false;      // ranges of token ids, else of code points
  bool is_negated = false;    // takes what is in none of the ranges
  std::vector<Range> ranges;  // in order, with gaps between them

  bool takes(std::uint32_t value) const { return takes_any(value, value); }
  // Whether it takes one value at least from `first` to `last`.
  bool takes_any(std::uint32_t first, std::uint32_t last) const;
};

struct GrammarSymbol {
  bool is_terminal;
  std::uint32_t index;  // into terminals or rules
};

// Groups and repetitions are rules of their own: S* is R ::= S R | "", and S{1,3} is S and then
// R2 ::= S R1 | "", R1 ::= S | "".
struct GrammarRules {
  struct Rule {
    std::string name;                                      // empty for groups and repetitions
    std::vector<std::vector<GrammarSymbol>> alternatives;  // none: not defined
  };
  std::vector<Rule> rules;
  std::vector<GrammarTerminal> terminals;
};

// Parses GBNF, tokens by name aside. kInvalidArgument names the line; kLimit for more than 1 MiB,
// nesting deeper than 100, a repetition of more than 2000, or more than a million elements once
// repetitions are written out.
Result<GrammarRules> parse_grammar(std::string_view text);

}  // namespace llmpatch
