#include "gguf/gguf_copy.h"

#include <bit>
#include <utility>

#include "gguf/cursor.h"
#include "gguf/metadata.h"

namespace llmpatch {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is written by plain copies");

constexpr std::uint32_t kVersion = 3;
constexpr std::size_t kHeaderBytes = 24;  // magic, version, numbers of tensors and keys
constexpr std::uint32_t kF32 = 6;         // a type of values

template <class T>
void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_string(std::string& bytes, std::string_view text) {
  append<std::uint64_t>(bytes, text.size());
  bytes.append(text);
}

}  // namespace

GgufCopy::GgufCopy(const GgufFile& file) : keys_(file.metadata().size()) {
  // As they stand in the file, which keeps the types and orders that GgufFile does not tell.
  GgufCursor cursor(file.bytes().subspan(kHeaderBytes), file.path().string());
  static_cast<void>(read_gguf_metadata(cursor, keys_));  // as when the file was opened
  metadata_.assign(reinterpret_cast<const char*>(file.bytes().data()) + kHeaderBytes,
                   cursor.position());
  const auto alignment = file.optional_integer("general.alignment");
  if (alignment.ok()) alignment_ = alignment->value_or(alignment_);
}

void GgufCopy::f32(std::string_view name, float value) {
  ++keys_;
  append_string(metadata_, name);
  append(metadata_, kF32);
  append(metadata_, value);
}

void GgufCopy::tensor(std::string_view name, const std::array<std::uint64_t, 4>& ne, int type,
                      std::uint64_t size, std::function<Result<std::string>()> bytes) {
  std::uint32_t dimensions = 1;
  for (std::uint32_t i = 1; i < ne.size(); ++i) {
    if (ne[i] > 1) dimensions = i + 1;
  }
  append_string(table_, name);
  append(table_, dimensions);
  for (std::uint32_t i = 0; i < dimensions; ++i) append(table_, ne[i]);
  append(table_, static_cast<std::int32_t>(type));
  append(table_, offset_);
  offset_ += padded(size);
  tensors_.push_back({std::string(name), size, std::move(bytes)});
}

Status GgufCopy::write(const Sink& sink) const {
  std::string head = "GGUF";
  append(head, kVersion);
  append<std::uint64_t>(head, tensors_.size());
  append(head, keys_);
  head += metadata_;
  head += table_;
  head.resize(padded(head.size()));
  LLMPATCH_TRY(sink(head));
  for (const Planned& tensor : tensors_) {
    LLMPATCH_ASSIGN(std::string bytes, tensor.bytes());
    if (bytes.size() != tensor.size) {
      return make_error(ErrorKind::kInternal, "gguf",
                        "tensor " + tensor.name + ": found " + std::to_string(bytes.size()) +
                            " bytes, expected " + std::to_string(tensor.size));
    }
    bytes.resize(padded(bytes.size()));
    LLMPATCH_TRY(sink(bytes));
  }
  return {};
}

}  // namespace llmpatch
