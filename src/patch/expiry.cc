#include "patch/expiry.h"

#include <array>

namespace llmpatch {

std::string utc_text(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text.data(), size);
}

bool has_expired(const Manifest& manifest, std::time_t now) {
  return manifest.expires && *manifest.expires <= utc_text(now);
}

}  // namespace llmpatch
