#include "runtime/text_stream.h"

#include <utility>

namespace llmpatch {
namespace {

// Length of the incomplete UTF-8 character at the end of `text`; 0 when there is none.
std::size_t incomplete_tail(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;  // a continuation: its first byte is further left
    const std::size_t length = byte >= 0xF0 && byte < 0xF8 ? 4
                               : byte >= 0xE0              ? 3
                               : byte >= 0xC0              ? 2
                                                           : 1;
    return byte < 0xF8 && length > back ? back : 0;
  }
  return 0;
}

}  // namespace

std::string TextStream::push(std::string_view bytes) {
  pending_ += bytes;
  const std::size_t whole = pending_.size() - incomplete_tail(pending_);
  std::string text = pending_.substr(0, whole);
  pending_.erase(0, whole);
  return text;
}

std::string TextStream::finish() { return std::exchange(pending_, {}); }

}  // namespace llmpatch
