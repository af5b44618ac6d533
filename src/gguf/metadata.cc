#include "gguf/metadata.h"

#include <gguf.h>

#include <algorithm>

#include "base/quote.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kMaxKeyBytes = 65535;

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

}  // namespace

Result<std::string> read_gguf_name(GgufCursor& cursor, std::string_view field,
                                   std::uint64_t max_bytes) {
  LLMPATCH_ASSIGN(std::string name, cursor.read_string(field, max_bytes));
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
  if (name.empty() || !plain) {
    return cursor.error(ErrorKind::kCorrupt, std::string(field) + ": found " + quote(name) +
                                                 ", expected a name without control characters");
  }
  return name;
}

Result<std::map<std::string, GgufValue>> read_gguf_metadata(GgufCursor& cursor,
                                                            std::uint64_t keys) {
  std::map<std::string, GgufValue> metadata;
  for (std::uint64_t i = 0; i < keys; ++i) {
    LLMPATCH_ASSIGN(std::string key, read_gguf_name(cursor, "metadata key", kMaxKeyBytes));
    LLMPATCH_ASSIGN(GgufValue value, read_value(cursor, "metadata " + quote(key)));
    const auto [entry, added] = metadata.emplace(std::move(key), std::move(value));
    if (!added) {
      return cursor.error(ErrorKind::kCorrupt, "metadata " + quote(entry->first) +
                                                   ": found the key twice, expected it once");
    }
  }
  return metadata;
}

}  // namespace llmpatch
