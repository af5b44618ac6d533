#include "trust/canonical_json.h"

#include "trust/strict_json.h"

namespace llmpatch {
namespace {

void write_string(const std::string& text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

// False for a number that canonical JSON has not. The depth is that of a parsed text, which has a
// limit.
bool write(const Json& value, std::string& out) {
  switch (value.type()) {
    case Json::value_t::null:
    case Json::value_t::boolean:
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      out += value.dump();
      return true;
    case Json::value_t::string:
      write_string(value.get_ref<const std::string&>(), out);
      return true;
    case Json::value_t::array: {
      const char* separator = "";
      out += '[';
      for (const Json& element : value) {
        out += separator;
        if (!write(element, out)) return false;
        separator = ",";
      }
      out += ']';
      return true;
    }
    case Json::value_t::object: {
      const char* separator = "";
      out += '{';
      for (const auto& [key, member] : value.items()) {
        out += separator;
        write_string(key, out);
        out += ':';
        if (!write(member, out)) return false;
        separator = ",";
      }
      out += '}';
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

Result<std::string> canonical_json(const Json& value, std::string_view where) {
  std::string text;
  if (write(value, text)) return text;
  return untrusted(where, "found a number that is not an integer of 64 bits");
}

}  // namespace llmpatch
