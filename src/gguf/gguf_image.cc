#include "gguf/gguf_image.h"

#include <ggml.h>
#include <gguf.h>

#include <array>
#include <bit>
#include <cstring>

namespace llmpatch {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is written without byte swapping");

template <class T>
void append(std::string& out, T value) {
  std::array<char, sizeof value> bytes{};
  std::memcpy(bytes.data(), &value, sizeof value);
  out.append(bytes.data(), bytes.size());
}

void append_text(std::string& out, std::string_view text) {
  append<std::uint64_t>(out, text.size());
  out += text;
}

void pad(std::string& out) {
  constexpr std::size_t kAlignment = GGUF_DEFAULT_ALIGNMENT;
  out.resize((out.size() + kAlignment - 1) / kAlignment * kAlignment);
}

}  // namespace

void GgufImage::key(std::string_view name, std::uint32_t type) {
  ++keys_;
  append_text(header_, name);
  append(header_, type);
}

void GgufImage::text(std::string_view name, std::string_view value) {
  key(name, GGUF_TYPE_STRING);
  append_text(header_, value);
}

void GgufImage::i32(std::string_view name, std::int32_t value) {
  key(name, GGUF_TYPE_INT32);
  append(header_, value);
}

void GgufImage::u32(std::string_view name, std::uint32_t value) {
  key(name, GGUF_TYPE_UINT32);
  append(header_, value);
}

void GgufImage::f32(std::string_view name, float value) {
  key(name, GGUF_TYPE_FLOAT32);
  append(header_, value);
}

void GgufImage::tensor(std::string_view name, std::span<const std::uint64_t> ne, int type,
                       std::span<const std::byte> data) {
  ++tensors_;
  while (ne.size() > 1 && ne.back() == 1) ne = ne.first(ne.size() - 1);
  append_text(table_, name);
  append(table_, static_cast<std::uint32_t>(ne.size()));
  for (const std::uint64_t extent : ne) append(table_, extent);
  append(table_, static_cast<std::int32_t>(type));
  append<std::uint64_t>(table_, data_.size());
  data_.append(reinterpret_cast<const char*>(data.data()), data.size());
  pad(data_);
}

void GgufImage::floats(std::string_view name, std::span<const float> values) {
  const std::uint64_t n = values.size();
  tensor(name, std::span(&n, 1), GGML_TYPE_F32, std::as_bytes(values));
}

std::string GgufImage::bytes() const {
  std::string file = GGUF_MAGIC;
  append<std::uint32_t>(file, GGUF_VERSION);
  append(file, tensors_);
  append(file, keys_);
  file += header_ + table_;
  if (!data_.empty()) pad(file);
  return file + data_;
}

}  // namespace llmpatch
