// Lays out a small GGUF file in memory: an adapter, a control vector.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace llmpatch {

// Collects metadata and tensors; bytes() is the file, version 3, aligned to 32 bytes. Keys and
// names are the caller's to keep different. Not thread-safe.
class GgufImage {
 public:
  void text(std::string_view key, std::string_view value);
  void i32(std::string_view key, std::int32_t value);
  void u32(std::string_view key, std::uint32_t value);
  void f32(std::string_view key, float value);

  // A tensor of ggml type `type` and shape `ne` (ne[0] contiguous; ones at the end may be left
  // out). `data` is copied, and as long as type and shape say.
  void tensor(std::string_view name, std::span<const std::uint64_t> ne, int type,
              std::span<const std::byte> data);
  // One of a single dimension, in F32.
  void floats(std::string_view name, std::span<const float> values);

  std::string bytes() const;

 private:
  void key(std::string_view name, std::uint32_t type);
  std::uint64_t keys_ = 0, tensors_ = 0;
  std::string header_, table_, data_;
};

}  // namespace llmpatch
