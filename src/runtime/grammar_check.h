// Checks GBNF before an answer is held to it: what it may begin with is looked at all at once.
#pragma once

#include <string_view>

#include "base/result.h"
#include "runtime/grammar_rules.h"

namespace llmpatch {

// Whether `text` is a grammar with a rule `root` that an answer can be held to. Errors of
// parse_grammar(); kInvalidArgument without `root`, or when a rule can begin with itself, however
// many empty items lie before it (so what is repeated must not be empty); kLimit when a rule can
// begin in more than 1000 ways, every rule on the way counted.
Status check_grammar(const GrammarRules& grammar);
// The same of a text. Errors of parse_grammar(), too.
Status check_grammar(std::string_view text);

}  // namespace llmpatch
