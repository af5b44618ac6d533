// JSON that is trusted or refused as a whole: exactly the members a format has.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// An error of the kind kUntrusted: "[trust] where: message".
Error untrusted(std::string_view where, const std::string& message);

// The same error as kUntrusted: what was found to be broken is not valid.
Error as_untrusted(Error error);

// parse_json, with kUntrusted for text that is no JSON or has a key twice.
Result<Json> parse_untrusted_json(std::string_view text, std::string_view where);

// kUntrusted unless `object` is an object that has every member of `needed`, and none but these and
// those of `optional`.
Status check_members(const Json& object, std::initializer_list<const char*> needed,
                     std::initializer_list<const char*> optional, std::string_view where);

// The text of `value`; kUntrusted when it is no string.
Result<std::string> text_of(const Json& value, std::string_view where);

// kUntrusted unless `value` is this string.
Status check_text(const Json& value, std::string_view expected, std::string_view where);

}  // namespace llmpatch
