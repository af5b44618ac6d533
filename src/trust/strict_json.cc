#include "trust/strict_json.h"

#include <algorithm>

#include "base/quote.h"

namespace llmpatch {

Error untrusted(std::string_view where, const std::string& message) {
  return make_error(ErrorKind::kUntrusted, "trust", std::string(where) + ": " + message);
}

Error as_untrusted(Error error) {
  error.kind = ErrorKind::kUntrusted;
  return error;
}

Result<Json> parse_untrusted_json(std::string_view text, std::string_view where) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    return untrusted(where, "found a byte order mark, expected JSON");
  }
  auto json = parse_json(text, where);
  if (!json.ok()) return as_untrusted(std::move(json).error());
  return json;
}

Status check_members(const Json& object, std::initializer_list<const char*> needed,
                     std::initializer_list<const char*> optional, std::string_view where) {
  if (!object.is_object()) {
    return untrusted(where, std::string("found ") + object.type_name() + ", expected an object");
  }
  for (const char* key : needed) {
    if (!object.contains(key)) return untrusted(where, std::string("found no member ") + key);
  }
  const auto is_one_of = [](std::initializer_list<const char*> keys, const std::string& key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  for (const auto& [key, value] : object.items()) {
    if (!is_one_of(needed, key) && !is_one_of(optional, key)) {
      return untrusted(where, "found unknown member " + quote(key));
    }
  }
  return {};
}

Result<std::string> text_of(const Json& value, std::string_view where) {
  if (!value.is_string()) {
    return untrusted(where, std::string("found ") + value.type_name() + ", expected a string");
  }
  return value.get<std::string>();
}

Status check_text(const Json& value, std::string_view expected, std::string_view where) {
  LLMPATCH_ASSIGN(const std::string text, text_of(value, where));
  if (text == expected) return {};
  return untrusted(where, "found " + quote(text) + ", expected " + std::string(expected));
}

}  // namespace llmpatch
