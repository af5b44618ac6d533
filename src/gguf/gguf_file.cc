#include "gguf/gguf_file.h"

#include <ggml.h>
#include <gguf.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "gguf/cursor.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kMinAlignment = 8;  // the specification's; keeps every block type aligned
constexpr std::uint64_t kMaxKeyBytes = 65535;
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

// A key or tensor name: not empty, no control characters (both reach C strings and terminals).
Result<std::string> read_name(GgufCursor& cursor, std::string_view field, std::uint64_t max_bytes) {
  LLMPATCH_ASSIGN(std::string name, cursor.read_string(field, max_bytes));
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
  if (name.empty() || !plain) {
    return cursor.error(ErrorKind::kCorrupt, std::string(field) + ": found " + shown(name) +
                                                 ", expected a name without control characters");
  }
  return name;
}

// One value stored as `From`, held as `To`.
template <class From, class To>
Result<GgufValue> read_scalar(GgufCursor& cursor, std::string_view field) {
  LLMPATCH_ASSIGN(const auto value, cursor.read<From>(field));
  return GgufValue(static_cast<To>(value));
}

template <class From, class To>
Result<GgufValue> read_array(GgufCursor& cursor, std::string_view field, std::uint64_t count) {
  LLMPATCH_TRY(cursor.need(count * sizeof(From), field));  // count is limited: no overflow
  std::vector<To> values;
  values.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    LLMPATCH_ASSIGN(const auto value, cursor.read<From>(field));
    values.push_back(static_cast<To>(value));
  }
  return GgufValue(std::move(values));
}

Result<bool> read_bool(GgufCursor& cursor, std::string_view field) {
  LLMPATCH_ASSIGN(const auto value, cursor.read<std::uint8_t>(field));
  if (value > 1) {
    return cursor.error(ErrorKind::kCorrupt, std::string(field) + ": found the truth value " +
                                                 std::to_string(value) + ", expected 0 or 1");
  }
  return value == 1;
}

Result<GgufValue> read_bool_array(GgufCursor& cursor, std::string_view field, std::uint64_t count) {
  LLMPATCH_TRY(cursor.need(count, field));
  std::vector<bool> values;
  values.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    LLMPATCH_ASSIGN(const bool value, read_bool(cursor, field));
    values.push_back(value);
  }
  return GgufValue(std::move(values));
}

Result<GgufValue> read_string_array(GgufCursor& cursor, std::string_view field,
                                    std::uint64_t count) {
  LLMPATCH_TRY(cursor.need(count * sizeof(std::uint64_t), field));  // each has at least its length
  std::vector<std::string> values;
  values.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    LLMPATCH_ASSIGN(std::string value, cursor.read_string(field, kMaxGgufString));
    values.push_back(std::move(value));
  }
  return GgufValue(std::move(values));
}

Error unknown_value_type(const GgufCursor& cursor, std::string_view field, std::uint32_t type) {
  return cursor.error(ErrorKind::kCorrupt, std::string(field) + ": found value type " +
                                               std::to_string(type) +
                                               ", expected a scalar, string or array of these");
}

Result<GgufValue> read_array_of(GgufCursor& cursor, std::string_view field) {
  LLMPATCH_ASSIGN(const auto type, cursor.read<std::uint32_t>(field));
  LLMPATCH_ASSIGN(const auto count, cursor.read<std::uint64_t>(field));
  if (count > kMaxGgufArray) {
    return cursor.error(ErrorKind::kLimit, std::string(field) + ": found an array of " +
                                               std::to_string(count) + ", expected at most " +
                                               std::to_string(kMaxGgufArray));
  }
  switch (type) {
    case GGUF_TYPE_UINT8:
      return read_array<std::uint8_t, std::uint64_t>(cursor, field, count);
    case GGUF_TYPE_INT8:
      return read_array<std::int8_t, std::int64_t>(cursor, field, count);
    case GGUF_TYPE_UINT16:
      return read_array<std::uint16_t, std::uint64_t>(cursor, field, count);
    case GGUF_TYPE_INT16:
      return read_array<std::int16_t, std::int64_t>(cursor, field, count);
    case GGUF_TYPE_UINT32:
      return read_array<std::uint32_t, std::uint64_t>(cursor, field, count);
    case GGUF_TYPE_INT32:
      return read_array<std::int32_t, std::int64_t>(cursor, field, count);
    case GGUF_TYPE_UINT64:
      return read_array<std::uint64_t, std::uint64_t>(cursor, field, count);
    case GGUF_TYPE_INT64:
      return read_array<std::int64_t, std::int64_t>(cursor, field, count);
    case GGUF_TYPE_FLOAT32:
      return read_array<float, double>(cursor, field, count);
    case GGUF_TYPE_FLOAT64:
      return read_array<double, double>(cursor, field, count);
    case GGUF_TYPE_BOOL:
      return read_bool_array(cursor, field, count);
    case GGUF_TYPE_STRING:
      return read_string_array(cursor, field, count);
    default:  // also an array of arrays
      return unknown_value_type(cursor, field, type);
  }
}

Result<GgufValue> read_value(GgufCursor& cursor, std::string_view field) {
  LLMPATCH_ASSIGN(const auto type, cursor.read<std::uint32_t>(field));
  switch (type) {
    case GGUF_TYPE_UINT8:
      return read_scalar<std::uint8_t, std::uint64_t>(cursor, field);
    case GGUF_TYPE_INT8:
      return read_scalar<std::int8_t, std::int64_t>(cursor, field);
    case GGUF_TYPE_UINT16:
      return read_scalar<std::uint16_t, std::uint64_t>(cursor, field);
    case GGUF_TYPE_INT16:
      return read_scalar<std::int16_t, std::int64_t>(cursor, field);
    case GGUF_TYPE_UINT32:
      return read_scalar<std::uint32_t, std::uint64_t>(cursor, field);
    case GGUF_TYPE_INT32:
      return read_scalar<std::int32_t, std::int64_t>(cursor, field);
    case GGUF_TYPE_UINT64:
      return read_scalar<std::uint64_t, std::uint64_t>(cursor, field);
    case GGUF_TYPE_INT64:
      return read_scalar<std::int64_t, std::int64_t>(cursor, field);
    case GGUF_TYPE_FLOAT32:
      return read_scalar<float, double>(cursor, field);
    case GGUF_TYPE_FLOAT64:
      return read_scalar<double, double>(cursor, field);
    case GGUF_TYPE_BOOL: {
      LLMPATCH_ASSIGN(const bool value, read_bool(cursor, field));
      return GgufValue(value);
    }
    case GGUF_TYPE_STRING: {
      LLMPATCH_ASSIGN(std::string value, cursor.read_string(field, kMaxGgufString));
      return GgufValue(std::move(value));
    }
    case GGUF_TYPE_ARRAY:
      return read_array_of(cursor, field);
    default:
      return unknown_value_type(cursor, field, type);
  }
}

Result<std::map<std::string, GgufValue>> read_metadata(GgufCursor& cursor, std::uint64_t keys) {
  std::map<std::string, GgufValue> metadata;
  for (std::uint64_t i = 0; i < keys; ++i) {
    LLMPATCH_ASSIGN(std::string key, read_name(cursor, "metadata key", kMaxKeyBytes));
    LLMPATCH_ASSIGN(GgufValue value, read_value(cursor, "metadata " + shown(key)));
    const auto [entry, added] = metadata.emplace(std::move(key), std::move(value));
    if (!added) {
      return cursor.error(ErrorKind::kCorrupt, "metadata " + shown(entry->first) +
                                                   ": found the key twice, expected it once");
    }
  }
  return metadata;
}

// Bytes of a tensor of this type and shape. Checks type, dimensions and every product.
Result<std::uint64_t> tensor_bytes(const GgufCursor& cursor, const GgufTensor& tensor,
                                   std::int32_t type) {
  const std::string field = "tensor " + shown(tensor.name);
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
  LLMPATCH_ASSIGN(tensor.name, read_name(cursor, "tensor name", GGML_MAX_NAME - 1));
  const std::string field = "tensor " + shown(tensor.name);
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
    const std::string field = "tensor " + shown(entry.tensor.name);
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
                          "tensors " + shown(before.tensor.name) + " and " +
                              shown(by_offset[i]->tensor.name) +
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
                    path.string() + ": metadata " + shown(key) +
                        ": found a value of another type, expected " + expected);
}

Error missing(const std::filesystem::path& path, const std::string& key, ErrorKind kind) {
  return make_error(kind, "gguf",
                    path.string() + ": metadata " + shown(key) + ": found no such key");
}

}  // namespace

Result<GgufFile> GgufFile::open(const std::filesystem::path& path, std::string_view what) {
  LLMPATCH_ASSIGN(MappedFile mapped, MappedFile::open(path, what));
  GgufFile file(std::move(mapped));
  file.path_ = path;
  GgufCursor cursor(file.bytes(), path.string());
  LLMPATCH_ASSIGN(const Header header, read_header(cursor));
  LLMPATCH_ASSIGN(file.metadata_, read_metadata(cursor, header.keys));

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
      return cursor.error(ErrorKind::kCorrupt, "tensor " + shown(entry.tensor.name) +
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
  const auto found = metadata_.find("general.architecture");
  if (found == metadata_.end()) {
    return missing(path_, "general.architecture", ErrorKind::kCorrupt);
  }
  return string("general.architecture");
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
