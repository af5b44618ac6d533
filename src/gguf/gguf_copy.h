// Writes a changed copy of a GGUF file, tensor by tensor, so that a large model never stands in
// memory at once. A small file is gguf_image.h's.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"

namespace llmpatch {

// Begins with all keys of a file, and its alignment; then keys are added and all tensors, changed
// or not. The same calls give the same bytes. Whoever adds a key or tensor that is there already
// writes a file that no reader accepts.
class GgufCopy {
 public:
  // Copies the keys of `file`, as they stand in it.
  explicit GgufCopy(const GgufFile& file);

  void f32(std::string_view key, float value);

  // A tensor of ggml type number `type` that takes `size` bytes, which `bytes` makes when its turn
  // has come. `ne` as in GgufTensor.
  void tensor(std::string_view name, const std::array<std::uint64_t, 4>& ne, int type,
              std::uint64_t size, std::function<Result<std::string>()> bytes);

  // Hands the file's bytes to `sink`, in order. Fails as `sink` and the tensors' functions do;
  // kInternal when one made another number of bytes than it said.
  using Sink = std::function<Status(std::string_view bytes)>;
  Status write(const Sink& sink) const;

 private:
  struct Planned {
    std::string name;
    std::uint64_t size;
    std::function<Result<std::string>()> bytes;
  };
  std::uint64_t padded(std::uint64_t size) const {
    return (size + alignment_ - 1) / alignment_ * alignment_;
  }

  std::uint64_t alignment_ = 32;
  std::uint64_t keys_ = 0, offset_ = 0;
  std::string metadata_, table_;
  std::vector<Planned> tensors_;
};

}  // namespace llmpatch
