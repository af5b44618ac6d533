#include "gguf/merge.h"

#include <ggml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "base/atomic_file.h"
#include "base/quote.h"
#include "gguf/dequantize.h"
#include "gguf/gguf_copy.h"

namespace llmpatch {
namespace {

constexpr float kLargestF16 = 65504;

// weights += scale * b . a, row by row in one fixed order.
void add_update(std::vector<float>& weights, const LoraMatrix& update, float scale) {
  for (std::uint64_t row = 0; row < update.outputs; ++row) {
    float* out = weights.data() + row * update.inputs;
    for (std::uint64_t k = 0; k < update.rank; ++k) {
      const float factor = scale * update.b[row * update.rank + k];
      const float* in = update.a.data() + k * update.inputs;
      for (std::uint64_t i = 0; i < update.inputs; ++i) out[i] += factor * in[i];
    }
  }
}

Result<std::string> merged_bytes(const GgufTensor& tensor, const LoraMatrix& update, float scale,
                                 MergedType type) {
  std::vector<float> weights(tensor.elements());
  LLMPATCH_TRY(dequantize_rows(tensor, 0, tensor.rows(), weights));
  add_update(weights, update, scale);
  const float limit = type == MergedType::kF16 ? kLargestF16 : INFINITY;
  const bool fits = std::all_of(weights.begin(), weights.end(),
                                [&](float x) { return std::isfinite(x) && std::abs(x) <= limit; });
  if (!fits) {
    return make_error(
        ErrorKind::kInvalidArgument, "gguf",
        "tensor " + quote(tensor.name) + ": found a merged weight too large for its type",
        type == MergedType::kF16 ? "--type f32 has more room" : "");
  }
  if (type == MergedType::kF32) {
    return std::string(reinterpret_cast<const char*>(weights.data()),
                       weights.size() * sizeof(float));
  }
  std::string bytes(weights.size() * sizeof(ggml_fp16_t), '\0');
  ggml_fp32_to_fp16_row(weights.data(), reinterpret_cast<ggml_fp16_t*>(bytes.data()),
                        static_cast<std::int64_t>(weights.size()));
  return bytes;
}

std::string copied_bytes(const GgufTensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()};
}

}  // namespace

Status merge_lora(const GgufFile& model, const Lora& lora, const std::string& lora_sha256,
                  MergedType type, const std::filesystem::path& out, Overwrite overwrite,
                  const CancelFlag* cancel, const ProgressFn& progress) {
  LLMPATCH_TRY(check_lora(lora, model));
  const std::string key = "llmpatch.merged_lora." + lora_sha256;
  if (model.metadata().contains(key)) {
    return make_error(ErrorKind::kInvalidArgument, "gguf",
                      model.path().string() + ": found this adapter merged into it already");
  }
  std::map<std::string, const LoraMatrix*> updates;
  for (const LoraMatrix& matrix : lora.matrices) updates[matrix.name] = &matrix;

  GgufCopy copy(model);
  copy.f32(key, lora.alpha);
  std::uint64_t done = 0;
  for (const GgufTensor& tensor : model.tensors()) {
    const auto found = updates.find(tensor.name);
    const LoraMatrix* update = found == updates.end() ? nullptr : found->second;
    const bool half = type == MergedType::kF16;
    const int written = update == nullptr ? tensor.type : half ? GGML_TYPE_F16 : GGML_TYPE_F32;
    const std::uint64_t size =
        update == nullptr ? tensor.data.size() : tensor.elements() * (half ? 2 : 4);
    copy.tensor(tensor.name, tensor.ne, written, size,
                [&, update, tensor = &tensor]() -> Result<std::string> {
                  LLMPATCH_TRY(check_cancelled(cancel, "merge"));
                  if (progress) progress(++done, model.tensors().size(), "");
                  if (update == nullptr) return copied_bytes(*tensor);
                  return merged_bytes(*tensor, *update, lora.scale(*update), type);
                });
  }
  LLMPATCH_ASSIGN(AtomicFile file, AtomicFile::create(out, overwrite));
  LLMPATCH_TRY(copy.write([&](std::string_view bytes) { return file.append(bytes); }));
  return file.commit();
}

}  // namespace llmpatch
