#include "patch/quote.h"

#include "base/json.h"

namespace llmpatch {

std::string quote(std::string_view text) {
  constexpr std::size_t kMaxShown = 64;
  const bool cut = text.size() > kMaxShown;
  const Json shown = std::string(text.substr(0, kMaxShown)) + (cut ? "..." : "");
  std::string quoted = shown.dump(-1, ' ', true, Json::error_handler_t::replace);
  for (std::size_t at; (at = quoted.find('\x7f')) != std::string::npos;) {
    quoted.replace(at, 1, "\\u007f");  // the one control character that JSON leaves alone
  }
  return quoted;
}

}  // namespace llmpatch
