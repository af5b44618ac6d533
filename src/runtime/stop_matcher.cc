#include "runtime/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace llmpatch {
namespace {

// Length of the longest end of `text` that `stop` begins with, the whole of `stop` aside.
std::size_t overlap(std::string_view text, std::string_view stop) {
  for (std::size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n) {
    if (text.ends_with(stop.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

std::string StopMatcher::push(std::string_view text) {
  if (found_) return {};
  held_ += text;
  std::size_t shown = std::string::npos;
  for (const std::string& stop : stops_) shown = std::min(shown, held_.find(stop));
  if (shown != std::string::npos) {
    found_ = true;
    held_.resize(shown);
    return std::exchange(held_, {});
  }
  std::size_t kept = 0;
  for (const std::string& stop : stops_) kept = std::max(kept, overlap(held_, stop));
  std::string ready = held_.substr(0, held_.size() - kept);
  held_.erase(0, ready.size());
  return ready;
}

std::string StopMatcher::finish() { return std::exchange(held_, {}); }

}  // namespace llmpatch
