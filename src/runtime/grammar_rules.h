// A GBNF grammar reduced to how its rules begin.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llmpatch {

// Alternatives of a rule are lists of rules (their indices); kTerminal stands for anything that
// takes a character, and what follows one is left out.
struct GrammarRules {
  static constexpr std::size_t kTerminal = static_cast<std::size_t>(-1);
  struct Rule {
    std::string name;  // empty for groups and repetitions, which become rules of their own
    std::vector<std::vector<std::size_t>> alternatives;  // none: not defined
  };
  std::vector<Rule> rules;
};

// Parses the part of GBNF that libllama's parser takes, tokens by name aside. kInvalidArgument
// names the line; kLimit for more than 1 MiB, nesting deeper than 100, a repetition of more than
// 2000, or more than a million elements once repetitions are written out.
Result<GrammarRules> parse_grammar(std::string_view text);

}  // namespace llmpatch
