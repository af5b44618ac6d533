#include "runtime/lora_file.h"

#include <ggml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "base/quote.h"
#include "gguf/dequantize.h"
#include "gguf/gguf_image.h"

namespace llmpatch {
namespace {

constexpr const char* kType = "general.type";
constexpr const char* kAdapterType = "adapter.type";
constexpr const char* kAlpha = "adapter.lora.alpha";
constexpr const char* kInvocation = "adapter.alora.invocation_tokens";
constexpr std::string_view kA = ".lora_a", kB = ".lora_b";
constexpr const char* kEmbeddings = "token_embd.weight";
constexpr const char* kOutput = "output.weight";
// What convert_lora_to_gguf.py writes.
constexpr std::array<int, 4> kTypes{GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0};

struct Pair {
  const GgufTensor* a = nullptr;
  const GgufTensor* b = nullptr;
};

// By the name of the model's tensor that it changes.
using Pairs = std::map<std::string, Pair>;

std::string shape_of(const GgufTensor& tensor) {
  std::string text = "[" + std::to_string(tensor.ne[0]) + ", " + std::to_string(tensor.ne[1]);
  if (tensor.ne[2] > 1) text += ", " + std::to_string(tensor.ne[2]);
  return text + "]";
}

class LoraCheck {
 public:
  LoraCheck(const GgufFile& file, const GgufFile& model) : file_(file), model_(model) {}

  Result<std::string> image() const {
    LLMPATCH_TRY(check_kind());
    LLMPATCH_ASSIGN(const std::string architecture, check_architecture());
    LLMPATCH_ASSIGN(const float alpha, read_alpha());
    LLMPATCH_ASSIGN(const Pairs pairs, read_pairs());
    GgufImage image;
    image.text(kType, "adapter");
    image.text("general.architecture", architecture);
    image.text(kAdapterType, "lora");
    image.f32(kAlpha, alpha);
    for (const auto& [name, pair] : pairs) {
      LLMPATCH_TRY(check_pair(name, pair));
      for (const GgufTensor* half : {pair.a, pair.b}) {
        image.tensor(half->name, half->ne, half->type, half->data);
      }
    }
    return image.bytes();
  }

 private:
  Error wrong(ErrorKind kind, const std::string& message, std::string hint = "") const {
    return make_error(kind, "runtime", "LoRA adapter " + file_.path().string() + ": " + message,
                      std::move(hint));
  }

  // The text of a key; empty without the key.
  Result<std::string> text_or_none(const char* key) const {
    return file_.metadata().contains(key) ? file_.string(key) : Result<std::string>(std::string());
  }

  Status check_kind() const {
    LLMPATCH_ASSIGN(const std::string type, text_or_none(kType));
    if (type != "adapter") {
      return wrong(ErrorKind::kInvalidArgument,
                   "found " + (type.empty() ? "no general.type" : "general.type " + quote(type)) +
                       ", expected \"adapter\"",
                   "llama.cpp's convert_lora_to_gguf.py makes one of a PEFT adapter");
    }
    LLMPATCH_ASSIGN(const std::string adapter, text_or_none(kAdapterType));
    if (adapter != "lora") {
      return wrong(ErrorKind::kUnsupported,
                   "adapter.type: found " + quote(adapter) + ", expected \"lora\"");
    }
    if (file_.metadata().contains(kInvocation)) {
      return wrong(
          ErrorKind::kUnsupported,
          "found an adapter that waits for a token (aLoRA), expected one that always acts");
    }
    return {};
  }

  Result<std::string> check_architecture() const {
    LLMPATCH_ASSIGN(std::string own, file_.architecture());
    LLMPATCH_ASSIGN(const std::string wanted, model_.architecture());
    if (own != wanted) {
      return wrong(ErrorKind::kMismatch,
                   "found one for architecture " + quote(own) + ", expected " + quote(wanted));
    }
    return own;
  }

  Result<float> read_alpha() const {
    LLMPATCH_ASSIGN(const auto alpha, file_.optional_number(kAlpha));
    if (!alpha) return 0.0F;  // which means: scaled by the user's factor alone
    if (!(std::abs(*alpha) <= std::numeric_limits<float>::max())) {
      return wrong(ErrorKind::kCorrupt, std::string(kAlpha) + ": found no finite number");
    }
    return static_cast<float>(*alpha);
  }

  Result<Pairs> read_pairs() const {
    Pairs pairs;
    for (const GgufTensor& tensor : file_.tensors()) {
      const std::string_view name = tensor.name;
      const bool is_a = name.ends_with(kA), is_b = name.ends_with(kB);
      if (!is_a && !is_b) {
        const bool norm = name.ends_with("_norm.weight");
        return wrong(norm ? ErrorKind::kUnsupported : ErrorKind::kCorrupt,
                     "tensor " + quote(name) + ": found neither lora_a nor lora_b" +
                         (norm ? "; libllama would leave the norm out" : ""));
      }
      Pair& pair = pairs[std::string(name.substr(0, name.size() - kA.size()))];
      (is_a ? pair.a : pair.b) = &tensor;
    }
    if (pairs.empty()) return wrong(ErrorKind::kCorrupt, "found no tensors, expected pairs");
    return pairs;
  }

  Status check_pair(const std::string& name, const Pair& pair) const {
    if (pair.a == nullptr || pair.b == nullptr) {
      return wrong(ErrorKind::kCorrupt,
                   "tensor " + quote(name) + ": found " +
                       (pair.a == nullptr ? "lora_b without lora_a" : "lora_a without lora_b"));
    }
    const GgufTensor* changed = model_.find(name);
    if (changed == nullptr) {
      return wrong(ErrorKind::kMismatch,
                   "tensor " + quote(name) + ": found none of that name in the model",
                   "it was made for another model, or for one with separate instead of fused "
                   "matrices");
    }
    LLMPATCH_TRY(check_changed(name, *changed));
    LLMPATCH_TRY(check_shapes(name, pair, *changed));
    for (const GgufTensor* half : {pair.a, pair.b}) LLMPATCH_TRY(check_values(*half));
    return {};
  }

  // Whether libllama applies a change to this tensor at all.
  Status check_changed(const std::string& name, const GgufTensor& changed) const {
    if (!name.ends_with(".weight") || changed.rows() == 1) {
      return wrong(ErrorKind::kUnsupported,
                   "tensor " + quote(name) + ": found a change of what is no matrix");
    }
    if (name == kEmbeddings && model_.find(kOutput) == nullptr) {
      return wrong(ErrorKind::kUnsupported,
                   "tensor " + quote(name) +
                       ": found a change of an embedding table that is the output layer too, which "
                       "libllama cannot apply",
                   "merge the adapter into the model");
    }
    return {};
  }

  Status check_shapes(const std::string& name, const Pair& pair, const GgufTensor& changed) const {
    const GgufTensor &a = *pair.a, &b = *pair.b;
    // Of a table of embeddings A is looked up by token, so that it stands the other way round.
    const bool table = name.ends_with(kEmbeddings);
    const std::uint64_t rank = table ? a.ne[0] : a.ne[1];
    if (b.ne[0] != rank || b.ne[2] != a.ne[2] || a.ne[3] != 1 || b.ne[3] != 1) {
      return wrong(ErrorKind::kCorrupt, "tensor " + quote(name) + ": found lora_a " + shape_of(a) +
                                            " and lora_b " + shape_of(b) +
                                            ", expected one rank in both");
    }
    const std::uint64_t in = table ? b.ne[1] : a.ne[0], out = table ? a.ne[1] : b.ne[1];
    if (in != changed.ne[0] || out != changed.ne[1] || a.ne[2] != changed.ne[2] ||
        changed.ne[3] != 1) {
      return wrong(ErrorKind::kMismatch,
                   "tensor " + quote(name) + ": found a change of [" + std::to_string(in) + ", " +
                       std::to_string(out) + "], expected " + shape_of(changed) +
                       " as in the model",
                   "it was made for a model of another size");
    }
    return {};
  }

  Status check_values(const GgufTensor& half) const {
    if (std::ranges::find(kTypes, half.type) == kTypes.end()) {
      return wrong(ErrorKind::kUnsupported, "tensor " + quote(half.name) + ": found type " +
                                                std::to_string(half.type) +
                                                ", expected F32, F16, BF16 or Q8_0");
    }
    std::vector<float> row(half.columns());
    for (std::uint64_t i = 0; i < half.rows(); ++i) {
      LLMPATCH_TRY(dequantize_rows(half, i, 1, row));
      if (std::ranges::all_of(row, [](float value) { return std::isfinite(value); })) continue;
      return wrong(ErrorKind::kCorrupt,
                   "tensor " + quote(half.name) + ": found a value that is not finite");
    }
    return {};
  }

  const GgufFile& file_;
  const GgufFile& model_;
};

}  // namespace

Result<std::string> read_lora(const std::filesystem::path& path, const GgufFile& model) {
  LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(path, "LoRA adapter"));
  return LoraCheck(file, model).image();
}

}  // namespace llmpatch
