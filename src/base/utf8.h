// Bytes as characters.
#pragma once

#include <cstddef>
#include <string_view>

namespace llmpatch {

// Whether these bytes are UTF-8 as a whole (RFC 3629, but for surrogates and other ill-formed
// sequences of the right length, which pass).
bool is_utf8(std::string_view bytes);
// How many characters begin in these bytes.
std::size_t count_characters(std::string_view bytes);

}  // namespace llmpatch
