// Writes GGUF files by hand for tests, right or wrong on purpose.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"

namespace llmpatch {

// The bytes of a number as GGUF stores it.
template <class T>
std::string little_endian(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// A GGUF string: its length, then its bytes.
inline std::string gguf_string(std::string_view text) {
  return little_endian<std::uint64_t>(text.size()) + std::string(text);
}

// Collects keys and tensors; bytes() lays them out as the format says. What a hostile file would
// lie about can be overridden.
class GgufTestFile {
 public:
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::optional<std::uint64_t> key_count, tensor_count;
  std::uint64_t alignment = 32;  // of the tensor data; set the key general.alignment to say so

  // A key whose value is `payload` as it stands behind the type number.
  void key(std::string_view name, std::uint32_t type, std::string_view payload) {
    ++keys_;
    header_ += gguf_string(name) + little_endian(type) + std::string(payload);
  }
  void text(std::string_view name, std::string_view value) { key(name, 8, gguf_string(value)); }
  void u32(std::string_view name, std::uint32_t value) { key(name, 4, little_endian(value)); }
  void i32(std::string_view name, std::int32_t value) { key(name, 5, little_endian(value)); }
  void f32(std::string_view name, float value) { key(name, 6, little_endian(value)); }
  // An array of `count` elements of type number `type`.
  void array(std::string_view name, std::uint32_t type, std::uint64_t count,
             std::string_view payload) {
    key(name, 9, little_endian(type) + little_endian(count) + std::string(payload));
  }
  void strings(std::string_view name, const std::vector<std::string>& values) {
    std::string payload;
    for (const std::string& value : values) payload += gguf_string(value);
    array(name, 8, values.size(), payload);
  }

  // A tensor of ggml type number `type`. Its data goes behind what is there, aligned, unless
  // `offset` says where the table should claim it is.
  void tensor(std::string_view name, const std::vector<std::uint64_t>& ne, std::int32_t type,
              std::string_view data, std::optional<std::uint64_t> offset = std::nullopt) {
    ++tensors_;
    table_ += gguf_string(name) + little_endian(static_cast<std::uint32_t>(ne.size()));
    for (const std::uint64_t extent : ne) table_ += little_endian(extent);
    table_ += little_endian(type) + little_endian<std::uint64_t>(offset.value_or(data_.size()));
    data_ += data;
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
  }
  void floats(std::string_view name, const std::vector<std::uint64_t>& ne,
              const std::vector<float>& values) {
    tensor(name, ne, 0,
           {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }

  std::string bytes() const {
    std::string file = magic + little_endian(version) +
                       little_endian(tensor_count.value_or(tensors_)) +
                       little_endian(key_count.value_or(keys_)) + header_ + table_;
    if (!data_.empty()) file.resize((file.size() + alignment - 1) / alignment * alignment);
    return file + data_;
  }

 private:
  std::uint64_t keys_ = 0, tensors_ = 0;
  std::string header_, table_, data_;
};

// Opens `bytes` as a file in memory; nothing is left behind.
inline Result<GgufFile> open_gguf(std::string_view bytes) {
  const int fd = ::memfd_create("model", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return make_error(ErrorKind::kIo, "test", "memory file: cannot write it");
  }
  Result<GgufFile> file = GgufFile::open("/proc/self/fd/" + std::to_string(fd));
  ::close(fd);
  return file;
}

}  // namespace llmpatch
