#include "patch/rows.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "base/json.h"
#include "base/quote.h"

namespace llmpatch {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors is little-endian and read by plain copies");

constexpr const char* kTensor = "prompt_embeddings";
constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeader = 64 * 1024;
constexpr double kMaxNorm = 10000;  // of a row; why: docs/format.md

Error refuse(ErrorKind kind, std::string_view where, const std::string& message) {
  return make_error(kind, "safetensors", std::string(where) + ": " + message);
}
Error corrupt(std::string_view where, const std::string& message) {
  return refuse(ErrorKind::kCorrupt, where, message);
}

// Half precision to single; every half has an exact float.
float from_f16(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
    const float value = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide = exponent == 0x1f ? 0xffu : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

float from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// The dtypes a prefix may be stored in, and the bytes of one value.
struct Dtype {
  const char* name;
  std::uint64_t bytes;
  float (*widen)(std::uint16_t);  // null: the bytes are float32 already
};
constexpr std::array<Dtype, 3> kDtypes{
    {{"F32", 4, nullptr}, {"F16", 2, from_f16}, {"BF16", 2, from_bf16}}};

// What the header says about the one tensor, checked against the size of the data.
struct Layout {
  Dtype dtype;
  std::size_t n;
  std::size_t d;
};

Status check_metadata(const Json& header, std::string_view where) {
  const auto metadata = header.find("__metadata__");
  if (metadata == header.end()) return {};
  bool texts = metadata->is_object();
  if (texts) {
    for (const auto& value : *metadata) texts = texts && value.is_string();
  }
  if (!texts) return corrupt(where, "__metadata__: expected an object of strings");
  return {};
}

// A non-negative integer of an array in the header.
Result<std::uint64_t> unsigned_at(const Json& array, std::size_t index, const char* what,
                                  std::string_view where) {
  if (!array[index].is_number_unsigned()) {
    return corrupt(where, std::string(what) + ": found " + quote(json_line(array[index])) +
                              ", expected a non-negative integer");
  }
  return array[index].get<std::uint64_t>();
}

Result<Layout> parse_layout(const Json& header, std::uint64_t data_bytes, std::string_view where) {
  LLMPATCH_TRY(check_metadata(header, where));
  for (const auto& [key, value] : header.items()) {
    if (key != "__metadata__" && key != kTensor) {
      return corrupt(where, "found tensor " + quote(key) + ", expected " + kTensor + " alone");
    }
  }
  LLMPATCH_ASSIGN(const Json entry, json_object(header, kTensor, where));
  LLMPATCH_ASSIGN(const std::string dtype_name, json_string(entry, "dtype", where));
  LLMPATCH_ASSIGN(const Json shape, json_array(entry, "shape", where));
  LLMPATCH_ASSIGN(const Json offsets, json_array(entry, "data_offsets", where));
  if (entry.size() != 3) {
    return corrupt(where, "found " + std::to_string(entry.size()) +
                              " members of the tensor, expected dtype, shape and data_offsets");
  }
  const auto dtype = std::find_if(kDtypes.begin(), kDtypes.end(),
                                  [&](const Dtype& known) { return dtype_name == known.name; });
  if (dtype == kDtypes.end()) {
    return refuse(ErrorKind::kUnsupported, where,
                  "dtype: found " + quote(dtype_name) + ", expected F32, F16 or BF16");
  }
  if (shape.size() != 2 || offsets.size() != 2) {
    return corrupt(where, "shape and data_offsets: found " + std::to_string(shape.size()) +
                              " and " + std::to_string(offsets.size()) +
                              " numbers, expected 2 and 2");
  }
  LLMPATCH_ASSIGN(const std::uint64_t n, unsigned_at(shape, 0, "shape", where));
  LLMPATCH_ASSIGN(const std::uint64_t d, unsigned_at(shape, 1, "shape", where));
  LLMPATCH_ASSIGN(const std::uint64_t begin, unsigned_at(offsets, 0, "data_offsets", where));
  LLMPATCH_ASSIGN(const std::uint64_t end, unsigned_at(offsets, 1, "data_offsets", where));
  if (n == 0 || d == 0) return corrupt(where, "shape: found an empty prefix");
  if (n > kMaxRows || d > kMaxWidth) {
    return refuse(ErrorKind::kLimit, where,
                  "shape: found [" + std::to_string(n) + ", " + std::to_string(d) +
                      "], expected at most [" + std::to_string(kMaxRows) + ", " +
                      std::to_string(kMaxWidth) + "]");
  }
  const std::uint64_t expected = n * d * dtype->bytes;  // within the limits it cannot overflow
  if (begin != 0 || end != expected) {
    return corrupt(where, "data_offsets: found [" + std::to_string(begin) + ", " +
                              std::to_string(end) + "], expected [0, " + std::to_string(expected) +
                              "]");
  }
  if (data_bytes != expected) {
    return corrupt(where, "data: found " + std::to_string(data_bytes) + " bytes, expected " +
                              std::to_string(expected));
  }
  return Layout{*dtype, static_cast<std::size_t>(n), static_cast<std::size_t>(d)};
}

// The header's JSON text; the writer may have padded it with spaces.
Result<std::string_view> header_text(std::string_view bytes, std::string_view where) {
  if (bytes.size() < kLengthBytes) {
    return corrupt(
        where, "found " + std::to_string(bytes.size()) + " bytes, expected a header length of 8");
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeader) {
    return refuse(ErrorKind::kLimit, where,
                  "header: found a length of " + std::to_string(length) + ", expected at most " +
                      std::to_string(kMaxHeader));
  }
  if (length > bytes.size() - kLengthBytes) {
    return corrupt(where, "header: found a length of " + std::to_string(length) + ", expected at " +
                              "most the " + std::to_string(bytes.size() - kLengthBytes) +
                              " bytes that follow");
  }
  std::string_view text = bytes.substr(kLengthBytes, length);
  text = text.substr(0, text.find_last_not_of(' ') + 1);
  if (text.empty() || text.front() != '{' || text.back() != '}') {
    return corrupt(where, "header: expected a JSON object padded with spaces alone");
  }
  return text;
}

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

// The square of the Euclidean norm; NaN where a value is.
double squared_norm(const Rows& rows, std::size_t row) {
  double sum = 0;
  for (std::size_t i = row * rows.d; i < (row + 1) * rows.d; ++i) {
    sum += static_cast<double>(rows.values[i]) * rows.values[i];
  }
  return sum;
}

}  // namespace

std::string rows_to_safetensors(const Rows& rows) {
  const std::size_t data_bytes = rows.values.size() * sizeof(float);
  // Written by hand, since the format wants no particular order but equal bytes want one.
  std::string header = R"({"__metadata__":{"format":"pt"},")" + std::string(kTensor) +
                       R"(":{"dtype":"F32","shape":[)" + std::to_string(rows.n) + "," +
                       std::to_string(rows.d) + R"(],"data_offsets":[0,)" +
                       std::to_string(data_bytes) + "]}}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = header.size();
  std::string bytes(kLengthBytes + header.size() + data_bytes, '\0');
  std::memcpy(bytes.data(), &length, kLengthBytes);
  std::memcpy(bytes.data() + kLengthBytes, header.data(), header.size());
  if (data_bytes > 0) {
    std::memcpy(bytes.data() + kLengthBytes + header.size(), rows.values.data(), data_bytes);
  }
  return bytes;
}

Result<Rows> rows_from_safetensors(std::string_view bytes, std::string_view where) {
  LLMPATCH_ASSIGN(const std::string_view text, header_text(bytes, where));
  LLMPATCH_ASSIGN(const Json header, parse_json(text, where));
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  const std::string_view data = bytes.substr(kLengthBytes + length);
  LLMPATCH_ASSIGN(const Layout layout, parse_layout(header, data.size(), where));

  Rows rows{layout.n, layout.d, std::vector<float>(layout.n * layout.d)};
  if (layout.dtype.widen == nullptr) {
    std::memcpy(rows.values.data(), data.data(), data.size());
  } else {
    for (std::size_t i = 0; i < rows.values.size(); ++i) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, data.data() + i * sizeof(bits), sizeof(bits));
      rows.values[i] = layout.dtype.widen(bits);
    }
  }
  for (std::size_t row = 0; row < rows.n; ++row) {
    const double norm = std::sqrt(squared_norm(rows, row));
    if (!(norm <= kMaxNorm)) {  // NaN neither
      return corrupt(where, "row " + std::to_string(row) + ": found a norm of " +
                                number_text(norm) + ", expected at most 10000");
    }
  }
  return rows;
}

RowStatistics row_statistics(const Rows& rows) {
  if (rows.values.empty()) return {};
  std::vector<double> norms(rows.n);
  double total = 0;
  for (std::size_t row = 0; row < rows.n; ++row) {
    const double square = squared_norm(rows, row);
    norms[row] = std::sqrt(square);
    total += square;
  }
  std::sort(norms.begin(), norms.end());
  const std::size_t middle = rows.n / 2;
  const double median = rows.n % 2 == 1 ? norms[middle] : (norms[middle - 1] + norms[middle]) / 2;
  return {norms.front(), median, norms.back(),
          std::sqrt(total / static_cast<double>(rows.values.size()))};
}

}  // namespace llmpatch
