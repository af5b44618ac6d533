// JSON from outside: bounded depth, no duplicate keys, typed access, and errors that say where.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llmpatch {

using Json = nlohmann::json;                 // keys sorted: the same data gives the same bytes
using OrderedJson = nlohmann::ordered_json;  // keys as inserted, for files people read

// Parses one JSON text. kCorrupt for bad syntax, bad UTF-8, a duplicate key or nesting deeper than
// 64. `where` names the source ("manifest.json") in the message.
Result<Json> parse_json(std::string_view text, std::string_view where);

// One non-empty line of a JSON-lines file: always an object.
struct JsonLine {
  std::size_t number = 0;  // 1-based
  Json value;
};

// Reads a JSON-lines file. Blank lines are skipped; a line that is not a JSON object is kCorrupt
// and named by its number. `what` is the purpose for messages ("prompts"). At most `max_bytes`.
Result<std::vector<JsonLine>> read_json_lines(const std::filesystem::path& path,
                                              std::string_view what,
                                              std::uint64_t max_bytes = std::uint64_t{1} << 30);

// Members by name and type, for objects from outside. kCorrupt names `where` and the key when the
// member is missing or of another type.
Result<std::string> json_string(const Json& object, const char* key, std::string_view where);
Result<std::int64_t> json_integer(const Json& object, const char* key, std::string_view where);
Result<double> json_number(const Json& object, const char* key, std::string_view where);
Result<Json> json_object(const Json& object, const char* key, std::string_view where);
Result<Json> json_array(const Json& object, const char* key, std::string_view where);

// Compact text on one line. Invalid UTF-8 inside strings becomes U+FFFD (model output may be cut
// inside a character), so this never throws.
std::string json_line(const Json& value);
std::string json_line(const OrderedJson& value);
// Indented by two spaces, with a final newline; the same care for UTF-8.
std::string json_pretty(const Json& value);
std::string json_pretty(const OrderedJson& value);

}  // namespace llmpatch
