#include "base/quote.h"

#include "base/json.h"

namespace llmpatch {

std::string quote(std::string_view text, std::size_t longest) {
  const bool cut = text.size() > longest;
  const Json shown = std::string(text.substr(0, longest)) + (cut ? "..." : "");
  std::string quoted = shown.dump(-1, ' ', true, Json::error_handler_t::replace);
  for (std::size_t at; (at = quoted.find('\x7f')) != std::string::npos;) {
    quoted.replace(at, 1, "\\u007f");  // the one control character that JSON leaves alone
  }
  return quoted;
}

}  // namespace llmpatch
