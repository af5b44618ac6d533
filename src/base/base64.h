// Base64 (RFC 4648) as DSSE envelopes and Sigstore bundles use it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace llmpatch {

// The standard alphabet, with padding.
std::string base64_encode(std::string_view bytes);

// The bytes of `text` in the standard or the URL-safe alphabet (DSSE allows both; mixed is
// neither). Nothing for any other character, missing padding, or bits behind the last byte that are
// not zero: one form for the same bytes.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace llmpatch
