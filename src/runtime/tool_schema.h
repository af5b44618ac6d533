// The schemas of functions that a model may call.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace llmpatch {

// The schema that the arguments of a call are held to: that of the function's parameters. Where it
// has keywords that cannot be turned into a grammar and is not `strict`, those of its properties
// that have them are held to their type alone, and if that does not do, the arguments to be an
// object. kInvalidArgument where it is no schema of an object, else the errors of
// check_json_schema and with_grammar_patterns. A text without any member stands for no arguments.
Result<std::string> tool_arguments_schema(std::string_view parameters, bool strict);

}  // namespace llmpatch
