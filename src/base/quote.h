// Text from outside, made safe to show in a message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace llmpatch {

// `text` in double quotes, as printable ASCII on one line: everything else is escaped as in JSON,
// invalid UTF-8 becomes U+FFFD, and what is longer than `longest` bytes is cut ("…" as "...").
std::string quote(std::string_view text, std::size_t longest = 64);

}  // namespace llmpatch
