// Text as the refusal judges compare it. Internal to judge/.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace llmpatch {

// `text` with curly quotation marks made straight, runs of white space made one blank, ASCII
// letters lowered, and leading white space, quotation marks and markdown signs left out. At most
// `longest` bytes. Thread-safe.
std::string plain_text(std::string_view text, std::size_t longest = std::string::npos);

}  // namespace llmpatch
