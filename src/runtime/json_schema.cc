// Includes llama.cpp's `common`, and so must not include base/json.h: `common` brings another
// version of nlohmann's library.
#include "runtime/json_schema.h"

#include <json-schema-to-grammar.h>
#include <json.h>

#include <exception>

#include "runtime/json_pattern.h"
#include "runtime/json_schema_check.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxGrammarBytes = 256 << 10;

}  // namespace

Result<std::string> json_schema_grammar(std::string_view schema) {
  LLMPATCH_TRY(check_json_schema(schema));
  LLMPATCH_ASSIGN(const std::string writable, with_grammar_patterns(schema));
  try {
    std::string grammar = json_schema_to_grammar(common_json::parse(writable), true);
    if (grammar.size() > kMaxGrammarBytes) {
      return make_error(ErrorKind::kLimit, "JSON schema",
                        "found a grammar of " + std::to_string(grammar.size()) +
                            " bytes, expected at most " + std::to_string(kMaxGrammarBytes));
    }
    return grammar;
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInvalidArgument, "JSON schema", error.what());
  }
}

}  // namespace llmpatch
