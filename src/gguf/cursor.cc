#include "gguf/cursor.h"

namespace llmpatch {

Result<std::string> GgufCursor::read_string(std::string_view field, std::uint64_t max_bytes) {
  LLMPATCH_ASSIGN(const auto length, read<std::uint64_t>(field));
  if (length > max_bytes) {
    return error(ErrorKind::kLimit, std::string(field) + ": found a string of " +
                                        std::to_string(length) + " bytes, expected at most " +
                                        std::to_string(max_bytes));
  }
  LLMPATCH_TRY(need(length, field));
  std::string text(reinterpret_cast<const char*>(bytes_.data() + position_), length);
  position_ += length;
  return text;
}

Status GgufCursor::need(std::uint64_t size, std::string_view field) const {
  if (size <= remaining()) return {};
  return error(ErrorKind::kCorrupt, std::string(field) + " at byte " + std::to_string(position_) +
                                        ": found " + std::to_string(remaining()) +
                                        " bytes before the end, expected " + std::to_string(size));
}

Error GgufCursor::error(ErrorKind kind, std::string_view message, std::string hint) const {
  return make_error(kind, "gguf", file_ + ": " + std::string(message), std::move(hint));
}

}  // namespace llmpatch
