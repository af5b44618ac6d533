// The keyword `pattern` of JSON schemas, in the part of its language that grammars can follow.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace llmpatch {

// The same pattern in a form that llama.cpp's converter takes whole, and that lets through no
// character which has to be escaped within a JSON string: what it matches is a valid text, though
// not all that `pattern` matches (no quotation marks, backslashes and control characters). Taken
// are patterns anchored with ^ and $ of characters, ., classes, \d \w \s and their opposites,
// escapes, groups without look-around, alternatives within groups, and repetition (up to 1000
// times). kInvalidArgument: it is no pattern; kUnsupported: one of another kind, or one that only
// texts with such characters match; kLimit: over 256 bytes, or groups over 16 deep.
Result<std::string> grammar_pattern(std::string_view pattern);

// A checked JSON schema with every `pattern` in that form. Errors of grammar_pattern.
Result<std::string> with_grammar_patterns(std::string_view schema);

}  // namespace llmpatch
