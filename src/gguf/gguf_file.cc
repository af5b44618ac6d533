#include "gguf/gguf_file.h"

#include <ggml.h>
#include <gguf.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "base/quote.h"
#include "gguf/metadata.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kMinAlignment = 8;  // the specification's; keeps every block type aligned
constexpr const char* kSplitCountKey = "split.count";

struct Header {
  std::uint64_t tensors = 0;
  std::uint64_t keys = 0;
};

// A tensor as the table describes it, before its place in the file is known to be good.
struct Entry {
  GgufTensor tensor;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// a * b, or nullopt when it does not fit into int64 (ggml counts in signed 64 bits).
std::optional<std::uint64_t> checked_product(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (b != 0 && a > kMax / b) return std::nullopt;
  return a * b;
}

Result<Header> read_header(GgufCursor& cursor) {
  LLMPATCH_ASSIGN(const auto magic, cursor.read<std::uint32_t>("magic"));
  if (magic != 0x46554747) {  // "GGUF"
    return cursor.error(ErrorKind::kCorrupt, "magic: found other bytes, expected \"GGUF\"",
                        "llmpatch reads models in GGUF format");
  }
  LLMPATCH_ASSIGN(const auto version, cursor.read<std::uint32_t>("version"));
  if (version != 2 && version != 3) {
    const bool big_endian = version == 0x03000000 || version == 0x02000000;
    return cursor.error(ErrorKind::kUnsupported,
                        "version: found " +
                            (big_endian ? "a big-endian file" : std::to_string(version)) +
                            ", expected 2 or 3");
  }
  Header header;
  LLMPATCH_ASSIGN(header.tensors, cursor.read<std::uint64_t>("number of tensors"));
  LLMPATCH_ASSIGN(header.keys, cursor.read<std::uint64_t>("number of metadata keys"));
  if (header.tensors > kMaxGgufTensors) {
    return cursor.error(ErrorKind::kLimit,
                        "number of tensors: found " + std::to_string(header.tensors) +
                            ", expected at most " + std::to_string(kMaxGgufTensors));
  }
  if (header.keys > kMaxGgufKeys) {
    return cursor.error(ErrorKind::kLimit, "number of metadata keys: found " +
                                               std::to_string(header.keys) + ", expected at most " +
                                               std::to_string(kMaxGgufKeys));
  }
  return header;
}

// Bytes of a tensor of this type and shape. Checks type, dimensions and every product.
Result<std::uint64_t> tensor_bytes(const GgufCursor& cursor, const GgufTensor& tensor,
                                   std::int32_t type) {
  const std::string field = "tensor " + quote(tensor.name);
  const ggml_type_traits* traits = nullptr;
  if (type >= 0 && type < GGML_TYPE_COUNT) {
    traits = ggml_get_type_traits(static_cast<ggml_type>(type));
  }
  if (traits == nullptr || traits->blck_size <= 0 || traits->type_size == 0) {
    return cursor.error(ErrorKind::kUnsupported, field + ": found tensor type " +
                                                     std::to_string(type) +
                                                     ", expected a type that ggml knows");
  }
  const auto block = static_cast<std::uint64_t>(traits->blck_size);
  if (tensor.ne[0] % block != 0) {
    return cursor.error(ErrorKind::kCorrupt, field + ": found " + std::to_string(tensor.ne[0]) +
                                                 " columns, expected a multiple of " +
                                                 std::to_string(block) + " for type " +
                                                 traits->type_name);
  }
  std::optional<std::uint64_t> elements = 1;
  for (const std::uint64_t extent : tensor.ne) {
    if (elements) elements = checked_product(*elements, extent);
  }
  std::optional<std::uint64_t> bytes;
  if (elements) bytes = checked_product(*elements / block, traits->type_size);
  if (!bytes) {
    return cursor.error(ErrorKind::kCorrupt,
                        field + ": found a shape whose size overflows, expected at most 2^63");
  }
  return *bytes;
}

Result<Entry> read_entry(GgufCursor& cursor) {
  Entry entry;
  GgufTensor& tensor = entry.tensor;
  LLMPATCH_ASSIGN(tensor.name, read_gguf_name(cursor, "tensor name", GGML_MAX_NAME - 1));
  const std::string field = "tensor " + quote(tensor.name);
  LLMPATCH_ASSIGN(const auto dimensions, cursor.read<std::uint32_t>(field));
  if (dimensions == 0 || dimensions > tensor.ne.size()) {
    return cursor.error(ErrorKind::kCorrupt, field + ": found " + std::to_string(dimensions) +
                                                 " dimensions, expected 1 to 4");
  }
  tensor.ne.fill(1);
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    LLMPATCH_ASSIGN(tensor.ne[i], cursor.read<std::uint64_t>(field));
    if (tensor.ne[i] == 0) {
      return cursor.error(ErrorKind::kCorrupt,
                          field + ": found an empty dimension, expected at least 1");
    }
  }
  LLMPATCH_ASSIGN(const auto type, cursor.read<std::int32_t>(field));
  LLMPATCH_ASSIGN(entry.size, tensor_bytes(cursor, tensor, type));
  tensor.type = type;
  LLMPATCH_ASSIGN(entry.offset, cursor.read<std::uint64_t>(field));
  return entry;
}

// Gives every entry its bytes: aligned, inside `data`, and none shared with another tensor.
Status place(const GgufCursor& cursor, std::span<const std::byte> data, std::uint64_t alignment,
             std::vector<Entry>& entries) {
  for (Entry& entry : entries) {
    const std::string field = "tensor " + quote(entry.tensor.name);
    if (entry.offset % alignment != 0) {
      return cursor.error(ErrorKind::kCorrupt,
                          field + ": found offset " + std::to_string(entry.offset) +
                              ", expected a multiple of " + std::to_string(alignment));
    }
    if (entry.offset > data.size() || entry.size > data.size() - entry.offset) {
      return cursor.error(ErrorKind::kCorrupt,
                          field + ": found " + std::to_string(entry.size) + " bytes at offset " +
                              std::to_string(entry.offset) + ", expected them inside the " +
                              std::to_string(data.size()) + " bytes of tensor data",
                          "the file may be cut short; download it again");
    }
    entry.tensor.data = data.subspan(entry.offset, entry.size);
  }
  std::vector<const Entry*> by_offset;
  by_offset.reserve(entries.size());
  for (const Entry& entry : entries) by_offset.push_back(&entry);
  std::sort(by_offset.begin(), by_offset.end(),
            [](const Entry* a, const Entry* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < by_offset.size(); ++i) {
    const Entry& before = *by_offset[i - 1];
    if (before.offset + before.size > by_offset[i]->offset) {
      return cursor.error(ErrorKind::kCorrupt,
                          "tensors " + quote(before.tensor.name) + " and " +
                              quote(by_offset[i]->tensor.name) +
                              ": found overlapping data, expected separate bytes");
    }
  }
  return {};
}

Result<std::uint64_t> read_alignment(const GgufCursor& cursor,
                                     const std::map<std::string, GgufValue>& metadata) {
  const auto found = metadata.find(GGUF_KEY_GENERAL_ALIGNMENT);
  if (found == metadata.end()) return std::uint64_t{GGUF_DEFAULT_ALIGNMENT};
  const auto* value = std::get_if<std::uint64_t>(&found->second);
  if (value == nullptr || *value < kMinAlignment || *value > (1u << 30) ||
      !std::has_single_bit(*value)) {
    return cursor.error(ErrorKind::kCorrupt,
                        "metadata \"general.alignment\": found another value, expected a power of "
                        "two from 8 to 2^30");
  }
  return *value;
}

// A non-negative integer of either signedness.
std::optional<std::uint64_t> as_integer(const GgufValue& value) {
  if (const auto* u = std::get_if<std::uint64_t>(&value)) return *u;
  if (const auto* i = std::get_if<std::int64_t>(&value); i != nullptr && *i >= 0) {
    return static_cast<std::uint64_t>(*i);
  }
  return std::nullopt;
}

std::optional<double> as_number(const GgufValue& value) {
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* u = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*u);
  if (const auto* i = std::get_if<std::int64_t>(&value)) return static_cast<double>(*i);
  return std::nullopt;
}

Error wrong_type(const std::filesystem::path& path, const std::string& key, const char* expected) {
  return make_error(ErrorKind::kCorrupt, "gguf",
                    path.string() + ": metadata " + quote(key) +
                        ": found a value of another type, expected " + expected);
}

Error missing(const std::filesystem::path& path, const std::string& key, ErrorKind kind) {
  return make_error(kind, "gguf",
                    path.string() + ": metadata " + quote(key) + ": found no such key");
}

}  // namespace

Result<GgufFile> GgufFile::open(const std::filesystem::path& path, std::string_view what) {
  LLMPATCH_ASSIGN(MappedFile mapped, MappedFile::open(path, what));
  GgufFile file(std::move(mapped));
  file.path_ = path;
  GgufCursor cursor(file.bytes(), path.string());
  LLMPATCH_ASSIGN(const Header header, read_header(cursor));
  LLMPATCH_ASSIGN(file.metadata_, read_gguf_metadata(cursor, header.keys));

  LLMPATCH_ASSIGN(const auto splits, file.optional_integer(kSplitCountKey));
  if (splits.value_or(1) > 1) {
    return cursor.error(ErrorKind::kUnsupported,
                        "found one of " + std::to_string(*splits) + " parts, expected a whole file",
                        "join the parts with llama.cpp's llama-gguf-split --merge");
  }
  LLMPATCH_ASSIGN(const std::uint64_t alignment, read_alignment(cursor, file.metadata_));

  // Bounded by the file, not by the count: each entry takes at least 32 bytes of it.
  std::vector<Entry> entries;
  for (std::uint64_t i = 0; i < header.tensors; ++i) {
    LLMPATCH_ASSIGN(Entry entry, read_entry(cursor));
    if (!file.index_.emplace(entry.tensor.name, i).second) {
      return cursor.error(ErrorKind::kCorrupt, "tensor " + quote(entry.tensor.name) +
                                                   ": found the name twice, expected it once");
    }
    entries.push_back(std::move(entry));
  }

  const std::uint64_t padded = (cursor.position() + alignment - 1) / alignment * alignment;
  const std::uint64_t start = std::min<std::uint64_t>(padded, file.bytes().size());
  LLMPATCH_TRY(place(cursor, file.bytes().subspan(start), alignment, entries));
  file.tensors_.reserve(entries.size());
  for (Entry& entry : entries) file.tensors_.push_back(std::move(entry.tensor));
  return file;
}

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

Result<std::string> GgufFile::architecture() const {
  const std::string key = "general.architecture";
  if (!metadata_.contains(key)) return missing(path_, key, ErrorKind::kCorrupt);
  LLMPATCH_ASSIGN(std::string name, string(key));
  const bool is_word = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
  if (name.empty() || name.size() > 64 || !is_word) return wrong_type(path_, key, "a plain name");
  return name;
}

Result<std::uint64_t> GgufFile::integer(const std::string& key) const {
  LLMPATCH_ASSIGN(const auto value, optional_integer(key));
  if (!value) return missing(path_, key, ErrorKind::kNotFound);
  return *value;
}

Result<double> GgufFile::number(const std::string& key) const {
  LLMPATCH_ASSIGN(const auto value, optional_number(key));
  if (!value) return missing(path_, key, ErrorKind::kNotFound);
  return *value;
}

Result<std::string> GgufFile::string(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) return missing(path_, key, ErrorKind::kNotFound);
  const auto* text = std::get_if<std::string>(&found->second);
  if (text == nullptr) return wrong_type(path_, key, "a string");
  return *text;
}

Result<std::optional<std::uint64_t>> GgufFile::optional_integer(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) return std::optional<std::uint64_t>();
  const auto value = as_integer(found->second);
  if (!value) return wrong_type(path_, key, "a non-negative integer");
  return value;
}

Result<std::optional<double>> GgufFile::optional_number(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) return std::optional<double>();
  const auto value = as_number(found->second);
  if (!value) return wrong_type(path_, key, "a number");
  return value;
}

}  // namespace llmpatch
