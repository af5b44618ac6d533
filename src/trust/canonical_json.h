// Canonical JSON (OLPC): the one text of a value, which TUF signs instead of the bytes of a file.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// `value` with its keys sorted and no space, in UTF-8. Strings escape only " and \, so that one
// with control characters (a PEM key has line ends) gives a text that is no JSON. kUntrusted for a
// number that is not an integer of 64 bits: canonical JSON has none. `where` names the source in
// messages.
Result<std::string> canonical_json(const Json& value, std::string_view where);

}  // namespace llmpatch
