#include "gguf/lora.h"

#include <ggml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <span>
#include <string_view>

#include "base/quote.h"
#include "gguf/dequantize.h"
#include "gguf/gguf_image.h"

namespace llmpatch {
namespace {

constexpr std::string_view kDown = ".lora_a", kUp = ".lora_b";
constexpr const char* kAlphaKey = "adapter.lora.alpha";
constexpr const char* kInvocationKey = "adapter.alora.invocation_tokens";

Error refuse(ErrorKind kind, const GgufFile& file, const std::string& message) {
  return make_error(kind, "gguf", file.path().string() + ": " + message);
}

// `key` must hold `expected`.
Status expect_text(const GgufFile& file, const char* key, const char* expected) {
  std::string found = "no such key";
  if (file.metadata().contains(key)) {
    LLMPATCH_ASSIGN(const std::string text, file.string(key));
    if (text == expected) return {};
    found = quote(text);
  }
  return refuse(ErrorKind::kUnsupported, file,
                std::string(key) + ": found " + found + ", expected " + expected);
}

// The two factors of one matrix.
struct Factors {
  const GgufTensor* down = nullptr;
  const GgufTensor* up = nullptr;
};

Result<std::map<std::string, Factors>> find_factors(const GgufFile& file) {
  std::map<std::string, Factors> found;
  for (const GgufTensor& tensor : file.tensors()) {
    const std::string_view name = tensor.name;
    if (name.ends_with(kDown)) {
      found[std::string(name.substr(0, name.size() - kDown.size()))].down = &tensor;
    } else if (name.ends_with(kUp)) {
      found[std::string(name.substr(0, name.size() - kUp.size()))].up = &tensor;
    } else {
      return refuse(
          ErrorKind::kUnsupported, file,
          "found tensor " + quote(name) + ", expected names that end in .lora_a or " + ".lora_b");
    }
  }
  if (found.empty()) return refuse(ErrorKind::kCorrupt, file, "found no tensor of an adapter");
  return found;
}

Result<std::vector<float>> read_factor(const GgufFile& file, const GgufTensor& tensor) {
  std::vector<float> values(tensor.elements());
  LLMPATCH_TRY(dequantize_rows(tensor, 0, tensor.rows(), values));
  if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); })) {
    return refuse(ErrorKind::kCorrupt, file,
                  "tensor " + quote(tensor.name) + ": found a number that is not finite");
  }
  return values;
}

Result<LoraMatrix> read_matrix(const GgufFile& file, const std::string& name,
                               const Factors& factors) {
  if (factors.down == nullptr || factors.up == nullptr) {
    return refuse(ErrorKind::kCorrupt, file,
                  "found one factor of " + quote(name) + ", expected two");
  }
  if (name == "token_embd.weight") {
    return refuse(ErrorKind::kUnsupported, file,
                  "found an update of the token embedding, expected other matrices alone");
  }
  LoraMatrix matrix;
  matrix.name = name;
  matrix.inputs = factors.down->columns();
  matrix.outputs = factors.up->rows();
  matrix.rank = factors.up->columns();
  const bool flat =
      factors.down->ne[2] * factors.down->ne[3] == 1 && factors.up->ne[2] * factors.up->ne[3] == 1;
  if (!flat || factors.down->rows() != matrix.rank) {
    return refuse(ErrorKind::kCorrupt, file,
                  "factors of " + quote(name) + ": found ranks " +
                      std::to_string(factors.down->rows()) + " and " + std::to_string(matrix.rank) +
                      ", expected two matrices of one rank");
  }
  if (matrix.rank > kMaxLoraRank) {
    return refuse(ErrorKind::kLimit, file,
                  "rank of " + quote(name) + ": found " + std::to_string(matrix.rank) +
                      ", expected at most " + std::to_string(kMaxLoraRank));
  }
  LLMPATCH_ASSIGN(matrix.a, read_factor(file, *factors.down));
  LLMPATCH_ASSIGN(matrix.b, read_factor(file, *factors.up));
  return matrix;
}

}  // namespace

std::string lora_to_gguf(const Lora& lora) {
  GgufImage image;
  image.text("general.architecture", lora.architecture);
  image.text("general.type", "adapter");
  image.text("adapter.type", "lora");
  image.f32(kAlphaKey, lora.alpha);
  for (const LoraMatrix& matrix : lora.matrices) {
    const auto add = [&](std::string_view suffix, std::uint64_t columns, std::uint64_t rows,
                         const std::vector<float>& values) {
      const std::array ne = {columns, rows};
      image.tensor(matrix.name + std::string(suffix), ne, GGML_TYPE_F32,
                   std::as_bytes(std::span(values)));
    };
    add(kDown, matrix.inputs, matrix.rank, matrix.a);
    add(kUp, matrix.rank, matrix.outputs, matrix.b);
  }
  return image.bytes();
}

Result<Lora> lora_from_gguf(const GgufFile& file) {
  LLMPATCH_TRY(expect_text(file, "general.type", "adapter"));
  LLMPATCH_TRY(expect_text(file, "adapter.type", "lora"));
  Lora lora;
  LLMPATCH_ASSIGN(lora.architecture, file.architecture());
  if (file.metadata().contains(kInvocationKey)) {
    return refuse(ErrorKind::kUnsupported, file,
                  "found an adapter that begins at certain tokens, expected one that always acts");
  }
  LLMPATCH_ASSIGN(const auto alpha, file.optional_number(kAlphaKey));
  lora.alpha = static_cast<float>(alpha.value_or(0));
  if (!std::isfinite(lora.alpha)) {
    return refuse(ErrorKind::kCorrupt, file,
                  std::string(kAlphaKey) + ": found a number that is not finite");
  }
  LLMPATCH_ASSIGN(const auto factors, find_factors(file));
  for (const auto& [name, pair] : factors) {
    LLMPATCH_ASSIGN(LoraMatrix matrix, read_matrix(file, name, pair));
    lora.matrices.push_back(std::move(matrix));
  }
  return lora;
}

Status check_lora(const Lora& lora, const GgufFile& model) {
  const auto mismatch = [&](const std::string& message) {
    return refuse(ErrorKind::kMismatch, model, message);
  };
  LLMPATCH_ASSIGN(const std::string architecture, model.architecture());
  if (architecture != lora.architecture) {
    return mismatch("architecture: found " + architecture + ", expected the adapter's, " +
                    quote(lora.architecture));
  }
  for (const LoraMatrix& matrix : lora.matrices) {
    const GgufTensor* tensor = model.find(matrix.name);
    if (tensor == nullptr) {
      return mismatch("found no tensor " + quote(matrix.name) + ", which the adapter updates");
    }
    if (tensor->columns() != matrix.inputs || tensor->rows() != matrix.outputs) {
      return mismatch("tensor " + quote(matrix.name) + ": found " + std::to_string(tensor->rows()) +
                      " x " + std::to_string(tensor->columns()) + ", expected the adapter's " +
                      std::to_string(matrix.outputs) + " x " + std::to_string(matrix.inputs));
    }
  }
  return {};
}

}  // namespace llmpatch
