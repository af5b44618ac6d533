// The metadata section of a GGUF file: names and typed values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gguf/cursor.h"
#include "gguf/gguf_file.h"

namespace llmpatch {

// A key or tensor name: 1 to `max_bytes` bytes without control characters (names reach C strings
// and terminals). kCorrupt, kLimit.
Result<std::string> read_gguf_name(GgufCursor& cursor, std::string_view field,
                                   std::uint64_t max_bytes);

// `keys` keys with their values; leaves `cursor` behind them. kCorrupt (a key twice, an unknown
// value type, a truth value other than 0 and 1, the file ends), kLimit. Never allocates more than
// the remaining bytes could hold.
Result<std::map<std::string, GgufValue>> read_gguf_metadata(GgufCursor& cursor, std::uint64_t keys);

}  // namespace llmpatch
