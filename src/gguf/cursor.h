// Reads the little-endian fields of a GGUF header one after another, never past its end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llmpatch {

static_assert(std::endian::native == std::endian::little, "GGUF is read without byte swapping");

// A position in a byte span. Every read checks the remaining length first; a short read is kCorrupt
// and names the field and the offset. Not thread-safe.
class GgufCursor {
 public:
  // `file` is the path for messages. The span must outlive the cursor.
  GgufCursor(std::span<const std::byte> bytes, std::string file)
      : bytes_(bytes), file_(std::move(file)) {}

  std::uint64_t position() const { return position_; }
  std::uint64_t remaining() const { return bytes_.size() - position_; }

  // An integer or floating-point field. `field` names it in the message.
  template <class T>
  Result<T> read(std::string_view field) {
    LLMPATCH_TRY(need(sizeof(T), field));
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  // A string: u64 length, then that many bytes. kLimit beyond `max_bytes`.
  Result<std::string> read_string(std::string_view field, std::uint64_t max_bytes);

  // kCorrupt unless `size` bytes remain.
  Status need(std::uint64_t size, std::string_view field) const;

  // An error about this file: "<file>: <message>".
  Error error(ErrorKind kind, std::string_view message, std::string hint = "") const;

 private:
  std::span<const std::byte> bytes_;
  std::string file_;
  std::uint64_t position_ = 0;
};

}  // namespace llmpatch
