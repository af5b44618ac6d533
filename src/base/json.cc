#include "base/json.h"

#include <set>

#include "base/file.h"

namespace llmpatch {
namespace {

constexpr int kMaxDepth = 64;

Error corrupt(std::string_view where, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "json", std::string(where) + ": " + message);
}

Result<const Json*> member(const Json& object, const char* key, std::string_view where) {
  if (!object.is_object())
    return corrupt(where, "found " + std::string(object.type_name()) + ", expected an object");
  const auto found = object.find(key);
  if (found == object.end()) return corrupt(where, std::string("found no member '") + key + "'");
  return &*found;
}

Error wrong_type(const Json& value, const char* key, std::string_view where, const char* expected) {
  return corrupt(where, std::string("member '") + key + "': found " + value.type_name() +
                            ", expected " + expected);
}

template <class J>
std::string dump(const J& value, int indent) {
  return value.dump(indent, ' ', false, J::error_handler_t::replace);
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view where) {
  // The parser would take a NUL byte for the end and ignore what follows.
  if (text.find('\0') != std::string_view::npos) {
    return corrupt(where, "found a NUL byte, expected JSON text");
  }
  std::string problem;
  std::vector<std::set<std::string>> keys;  // of the objects that are open now
  const Json::parser_callback_t look = [&](int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (depth > kMaxDepth && problem.empty()) problem = "nested deeper than 64 levels";
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end && !keys.empty()) keys.pop_back();
    if (event == Event::key && !keys.empty() && problem.empty() &&
        !keys.back().insert(parsed.get_ref<const std::string&>()).second) {
      // Escaped: a message is shown on a terminal.
      const std::string key = parsed.dump(-1, ' ', true, Json::error_handler_t::replace);
      problem = "duplicate key '" + key.substr(1, key.size() - 2) + "'";
    }
    return problem.empty();
  };
  try {
    Json value = Json::parse(text, look);
    if (!problem.empty()) return corrupt(where, problem);
    return value;
  } catch (const Json::exception& error) {
    if (!problem.empty()) return corrupt(where, problem);
    std::string message = error.what();
    if (const auto end = message.find("] "); end != std::string::npos) message.erase(0, end + 2);
    return corrupt(where, message);
  }
}

Result<std::vector<JsonLine>> read_json_lines(const std::filesystem::path& path,
                                              std::string_view what, std::uint64_t max_bytes) {
  LLMPATCH_ASSIGN(const std::string text, read_file(path, max_bytes, what));
  std::vector<JsonLine> lines;
  std::size_t number = 0;
  for (std::size_t start = 0; start < text.size();) {
    ++number;
    std::size_t end = text.find('\n', start);
    if (end == std::string::npos) end = text.size();
    const std::string_view line = std::string_view(text).substr(start, end - start);
    start = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = path.string() + " line " + std::to_string(number);
    LLMPATCH_ASSIGN(Json value, parse_json(line, where));
    if (!value.is_object()) {
      return corrupt(where, std::string("found ") + value.type_name() + ", expected an object");
    }
    lines.push_back({number, std::move(value)});
  }
  return lines;
}

Result<std::string> json_string(const Json& object, const char* key, std::string_view where) {
  LLMPATCH_ASSIGN(const Json* value, member(object, key, where));
  if (!value->is_string()) return wrong_type(*value, key, where, "a string");
  return value->get<std::string>();
}

Result<std::int64_t> json_integer(const Json& object, const char* key, std::string_view where) {
  LLMPATCH_ASSIGN(const Json* value, member(object, key, where));
  const bool too_large = value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX;
  if (!value->is_number_integer() || too_large) return wrong_type(*value, key, where, "an integer");
  return value->get<std::int64_t>();
}

Result<double> json_number(const Json& object, const char* key, std::string_view where) {
  LLMPATCH_ASSIGN(const Json* value, member(object, key, where));
  if (!value->is_number()) return wrong_type(*value, key, where, "a number");
  return value->get<double>();
}

Result<Json> json_object(const Json& object, const char* key, std::string_view where) {
  LLMPATCH_ASSIGN(const Json* value, member(object, key, where));
  if (!value->is_object()) return wrong_type(*value, key, where, "an object");
  return *value;
}

Result<Json> json_array(const Json& object, const char* key, std::string_view where) {
  LLMPATCH_ASSIGN(const Json* value, member(object, key, where));
  if (!value->is_array()) return wrong_type(*value, key, where, "an array");
  return *value;
}

std::string json_line(const Json& value) { return dump(value, -1); }
std::string json_line(const OrderedJson& value) { return dump(value, -1); }
std::string json_pretty(const Json& value) { return dump(value, 2) + "\n"; }
std::string json_pretty(const OrderedJson& value) { return dump(value, 2) + "\n"; }

}  // namespace llmpatch
