// Writes a GGUF file tensor by tensor, so that a large model never stands in memory at once.
#pragma once

#include <ggml-cpp.h>
#include <ggml.h>
#include <gguf.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace llmpatch {

struct GgufContextDeleter {
  void operator()(gguf_context* context) const { gguf_free(context); }
};
using GgufContext = std::unique_ptr<gguf_context, GgufContextDeleter>;

// A tensor to write: its shape, its type, and a function that makes its float values when their
// turn has come (rows * columns, row-major). They are quantised here, without an importance matrix.
struct TensorPlan {
  std::string name;
  std::array<std::uint64_t, 4> ne{};
  ggml_type type = GGML_TYPE_F32;
  std::function<Result<std::vector<float>>()> values;
};

// Writes the metadata of `metadata` and the tensors in order. kInvalidArgument when a shape does
// not fit its type, kIo.
Status write_gguf(const std::filesystem::path& out, const gguf_context* metadata,
                  const std::vector<TensorPlan>& tensors);

}  // namespace llmpatch
