// Bytes as lower-case hexadecimal text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace llmpatch {

std::string hex_encode(std::string_view bytes);

// The bytes of `text`, lower case alone: one form for the same bytes. Nothing for any other text.
std::optional<std::string> hex_decode(std::string_view text);

}  // namespace llmpatch
