#include "gguf/dequantize.h"

#include <ggml.h>

#include <cstring>
#include <string>

#include "base/quote.h"

namespace llmpatch {

Status dequantize_rows(const GgufTensor& tensor, std::uint64_t first, std::uint64_t count,
                       std::span<float> out) {
  const std::uint64_t rows = tensor.rows();
  if (first > rows || count > rows - first) {
    return make_error(ErrorKind::kInvalidArgument, "gguf",
                      "tensor " + quote(tensor.name) + ": found rows " + std::to_string(first) +
                          " to " + std::to_string(first + count) + ", expected them within " +
                          std::to_string(rows));
  }
  if (out.size() != count * tensor.columns()) {
    return make_error(ErrorKind::kInvalidArgument, "gguf",
                      "tensor " + quote(tensor.name) + ": found room for " +
                          std::to_string(out.size()) + " values, expected " +
                          std::to_string(count * tensor.columns()));
  }
  const std::uint64_t row_bytes = tensor.data.size() / rows;
  const std::span<const std::byte> source =
      tensor.data.subspan(first * row_bytes, count * row_bytes);
  if (tensor.type == GGML_TYPE_F32) {
    if (!out.empty()) std::memcpy(out.data(), source.data(), source.size());
    return {};
  }
  const ggml_type_traits* traits = ggml_get_type_traits(static_cast<ggml_type>(tensor.type));
  if (traits->to_float == nullptr) {
    return make_error(ErrorKind::kUnsupported, "gguf",
                      "tensor " + quote(tensor.name) + ": found type " + traits->type_name +
                          ", expected one with a float form");
  }
  if (!out.empty()) {
    traits->to_float(source.data(), out.data(), static_cast<std::int64_t>(out.size()));
  }
  return {};
}

}  // namespace llmpatch
