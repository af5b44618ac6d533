// Tensor data as float32, for every type ggml can dequantise.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "gguf/gguf_file.h"

namespace llmpatch {

// Writes rows [first, first + count) of `tensor` to `out` (count * columns floats, row-major).
// kInvalidArgument: rows outside, or `out` of another size; kUnsupported: a type without a float
// form (integers, Q8_1). Thread-safe.
Status dequantize_rows(const GgufTensor& tensor, std::uint64_t first, std::uint64_t count,
                       std::span<float> out);

}  // namespace llmpatch
