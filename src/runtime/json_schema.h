// JSON schemas as grammars that hold an answer to them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace llmpatch {

// The GBNF grammar, with the rule `root`, of the JSON texts that `schema` allows; properties come
// in the order in which the schema names them. Errors of check_json_schema and of
// with_grammar_patterns; kInvalidArgument where
// the converter (llama.cpp's) refuses the schema, kLimit for a grammar of over 256 KiB.
// Thread-safe.
Result<std::string> json_schema_grammar(std::string_view schema);

}  // namespace llmpatch
