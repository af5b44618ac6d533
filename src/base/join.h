// Several texts as one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llmpatch {

// `parts` in order with `separator` between them; empty for none.
std::string join(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace llmpatch
