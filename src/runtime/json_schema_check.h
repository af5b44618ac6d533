// Bounds on a JSON schema from outside: the converter that turns it into a grammar leaves out what
// it does not know, recurses without a limit, and takes time that grows with powers of its size.
#pragma once

#include <string_view>

#include "base/result.h"

namespace llmpatch {

// Lets through the schemas that are converted whole: objects, arrays, strings (lengths; the formats
// date, time, date-time, uuid; a pattern, which json_pattern.h checks), integers with bounds,
// numbers, booleans, null, enum, const, anyOf, oneOf, allOf, and references within the document
// ("#/..."). kInvalidArgument for what is no JSON or no schema, kUnsupported for any other keyword,
// a reference to a reference, and one within allOf; kLimit: over 64 KiB, 512 properties, 100 in one
// object, or names of over 256 bytes.
Status check_json_schema(std::string_view schema);

}  // namespace llmpatch
