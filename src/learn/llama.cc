#include "learn/llama.h"

#include <cmath>
#include <tuple>

#include "learn/attention.h"
#include "learn/dtype.h"
#include "learn/linear.h"
#include "learn/linear_layer.h"
#include "learn/ops.h"
#include "learn/weights.h"

namespace llmpatch {
namespace {

using torch::Tensor;

struct Block {
  Tensor attention_norm, ffn_norm;
  LinearLayer qkv, attention_output, gate_up, down;
};

struct Hyperparameters {
  std::int64_t width = 0, layers = 0, feed_forward = 0, vocabulary = 0;
  AttentionShape attention;
  double norm_epsilon = 0, rope_base = 0;
};

class Llama : public Transformer {
 public:
  Llama(Hyperparameters sizes, Arithmetic arithmetic)
      : sizes_(sizes), dtype_(dtype_of(arithmetic)), int8_(arithmetic == Arithmetic::kInt8) {}

  TransformerShape shape() const override {
    return {sizes_.width, sizes_.vocabulary, sizes_.layers, sizes_.attention.heads};
  }

  Tensor embed(const Tensor& ids) const override {
    return embedding_.index_select(0, ids).to(work_dtype(dtype_));
  }

  const FrozenMatrix& output() const override { return output_; }

  // The residual stream stays in f32 when products are bf16: the sum of 60 bf16 terms would lose
  // more than the products do.
  Tensor forward(const Tensor& embeddings, const Layout& layout,
                 const LowRankUpdates& updates) const override {
    const auto [cos, sin] = rotation(layout.positions);
    Tensor x = embeddings;
    Tensor h = rms_norm(x, blocks_[0].attention_norm, sizes_.norm_epsilon, dtype_);
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const Block& block = blocks_[i];
      const Tensor qkv = block.qkv.run(h, updates);
      const Tensor attended = prefix_attention(qkv, cos, sin, layout, sizes_.attention);
      Tensor y = block.attention_output.run(attended, updates);
      std::tie(x, h) = add_norm(x, y, block.ffn_norm, sizes_.norm_epsilon);
      y = block.down.run(swiglu(block.gate_up.run(h, updates)), updates);
      const Tensor& next = i + 1 < blocks_.size() ? blocks_[i + 1].attention_norm : output_norm_;
      std::tie(x, h) = add_norm(x, y, next, sizes_.norm_epsilon);
    }
    return h;
  }

  Status load(const WeightReader& weights) {
    const auto& attention = sizes_.attention;
    const auto query_width = attention.heads * attention.head_size;
    const auto key_width = attention.kv_heads * attention.head_size;
    LLMPATCH_ASSIGN(embedding_,
                    weights.matrix("token_embd.weight", sizes_.vocabulary, sizes_.width));
    // Tied, unless the file has a matrix of its own.
    const char* output = weights.has("output.weight") ? "output.weight" : "token_embd.weight";
    LLMPATCH_ASSIGN(output_, frozen(weights.matrix(output, sizes_.vocabulary, sizes_.width)));
    LLMPATCH_ASSIGN(output_norm_, weights.vector("output_norm.weight", sizes_.width));
    LLMPATCH_ASSIGN(frequency_factors_,
                    weights.optional_vector("rope_freqs.weight", attention.head_size / 2));
    for (std::int64_t i = 0; i < sizes_.layers; ++i) {
      const std::string prefix = "blk." + std::to_string(i) + ".";
      Block block;
      LLMPATCH_ASSIGN(block.attention_norm,
                      weights.vector(prefix + "attn_norm.weight", sizes_.width));
      const bool fused = weights.has(prefix + "attn_qkv.weight");
      const std::vector<WeightReader::Part> parts =
          fused ? std::vector<WeightReader::Part>{{prefix + "attn_qkv.weight",
                                                   query_width + 2 * key_width}}
                : std::vector<WeightReader::Part>{{prefix + "attn_q.weight", query_width},
                                                  {prefix + "attn_k.weight", key_width},
                                                  {prefix + "attn_v.weight", key_width}};
      const auto linear = [&](std::vector<WeightReader::Part> of, std::int64_t inputs,
                              Tensor bias = {}) {
        return LinearLayer::load(weights, std::move(of), inputs, int8_, std::move(bias));
      };
      LLMPATCH_ASSIGN(Tensor bias, qkv_bias(weights, prefix, query_width, key_width));
      LLMPATCH_ASSIGN(block.qkv, linear(parts, sizes_.width, bias));
      LLMPATCH_ASSIGN(bias, weights.optional_vector(prefix + "attn_output.bias", sizes_.width));
      if (bias.defined()) bias = bias.to(dtype_);
      LLMPATCH_ASSIGN(block.attention_output,
                      linear({{prefix + "attn_output.weight", sizes_.width}}, query_width, bias));
      LLMPATCH_ASSIGN(block.ffn_norm, weights.vector(prefix + "ffn_norm.weight", sizes_.width));
      LLMPATCH_ASSIGN(block.gate_up, linear({{prefix + "ffn_gate.weight", sizes_.feed_forward},
                                             {prefix + "ffn_up.weight", sizes_.feed_forward}},
                                            sizes_.width));
      LLMPATCH_ASSIGN(block.down,
                      linear({{prefix + "ffn_down.weight", sizes_.width}}, sizes_.feed_forward));
      blocks_.push_back(std::move(block));
    }
    return {};
  }

 private:
  Result<FrozenMatrix> frozen(Result<Tensor> weight) const {
    LLMPATCH_ASSIGN(Tensor matrix, std::move(weight));
    return int8_ ? FrozenMatrix::in_int8(std::move(matrix)) : FrozenMatrix(std::move(matrix));
  }
  Result<Tensor> qkv_bias(const WeightReader& weights, const std::string& prefix,
                          std::int64_t query_width, std::int64_t key_width) const {
    if (weights.has(prefix + "attn_qkv.bias")) {
      LLMPATCH_ASSIGN(Tensor fused,
                      weights.vector(prefix + "attn_qkv.bias", query_width + 2 * key_width));
      return fused.to(dtype_);
    }
    if (!weights.has(prefix + "attn_q.bias")) return Tensor();
    LLMPATCH_ASSIGN(Tensor q, weights.vector(prefix + "attn_q.bias", query_width));
    LLMPATCH_ASSIGN(Tensor k, weights.vector(prefix + "attn_k.bias", key_width));
    LLMPATCH_ASSIGN(Tensor v, weights.vector(prefix + "attn_v.bias", key_width));
    return torch::cat({q, k, v}).to(dtype_);
  }

  // Cosines and sines [rows, head_size / 2] of positions [rows]; angles in f64, since a position
  // times a frequency loses digits in f32.
  std::pair<Tensor, Tensor> rotation(const Tensor& positions) const {
    const auto half = sizes_.attention.head_size / 2;
    const Tensor exponents = torch::arange(half, torch::kDouble) *
                             (-2.0 / static_cast<double>(sizes_.attention.head_size));
    Tensor frequencies = torch::pow(sizes_.rope_base, exponents);
    if (frequency_factors_.defined())
      frequencies = frequencies / frequency_factors_.to(torch::kDouble);
    const Tensor angles = positions.to(torch::kDouble).unsqueeze(1) * frequencies;
    return {angles.cos().to(work_dtype(dtype_)), angles.sin().to(work_dtype(dtype_))};
  }

  Hyperparameters sizes_;
  torch::Dtype dtype_;
  bool int8_;
  Tensor embedding_, output_norm_, frequency_factors_;
  FrozenMatrix output_;
  std::vector<Block> blocks_;
};

Error unsupported(const GgufFile& file, const std::string& message) {
  return make_error(ErrorKind::kUnsupported, "learn", file.path().string() + ": " + message);
}

Result<Hyperparameters> read_hyperparameters(const GgufFile& file) {
  Hyperparameters sizes;
  const auto positive = [&](const std::string& key, std::uint64_t limit) -> Result<std::int64_t> {
    LLMPATCH_ASSIGN(const std::uint64_t value, file.integer("llama." + key));
    if (value == 0 || value > limit) {
      return make_error(ErrorKind::kCorrupt, "learn",
                        file.path().string() + " llama." + key + ": found " +
                            std::to_string(value) + ", expected 1 to " + std::to_string(limit));
    }
    return static_cast<std::int64_t>(value);
  };
  LLMPATCH_ASSIGN(sizes.layers, positive("block_count", 1024));
  LLMPATCH_ASSIGN(sizes.width, positive("embedding_length", 1 << 16));
  LLMPATCH_ASSIGN(sizes.feed_forward, positive("feed_forward_length", 1 << 20));
  AttentionShape& attention = sizes.attention;
  LLMPATCH_ASSIGN(attention.heads, positive("attention.head_count", 1024));
  attention.kv_heads = attention.heads;
  if (file.metadata().contains("llama.attention.head_count_kv")) {
    LLMPATCH_ASSIGN(attention.kv_heads, positive("attention.head_count_kv", 1024));
  }
  attention.head_size = sizes.width / attention.heads;
  if (file.metadata().contains("llama.attention.key_length")) {
    LLMPATCH_ASSIGN(attention.head_size, positive("attention.key_length", 4096));
  }
  if (attention.heads % attention.kv_heads != 0) {
    return make_error(
        ErrorKind::kCorrupt, "learn",
        file.path().string() + ": attention heads do not divide into key-value heads");
  }
  if (attention.head_size % kHeadSizeMultiple != 0) {
    return unsupported(file, "attention head size: found " + std::to_string(attention.head_size) +
                                 ", expected a multiple of " + std::to_string(kHeadSizeMultiple));
  }
  attention.scale = 1 / std::sqrt(static_cast<double>(attention.head_size));
  LLMPATCH_ASSIGN(sizes.norm_epsilon, file.number("llama.attention.layer_norm_rms_epsilon"));
  LLMPATCH_ASSIGN(const auto base, file.optional_number("llama.rope.freq_base"));
  sizes.rope_base = base.value_or(10000);
  if (file.metadata().contains("llama.rope.scaling.type")) {
    LLMPATCH_ASSIGN(const std::string scaling, file.string("llama.rope.scaling.type"));
    if (scaling != "none")
      return unsupported(file, "rope scaling: found " + scaling + ", expected none");
  }
  LLMPATCH_ASSIGN(const auto experts, file.optional_integer("llama.expert_count"));
  if (experts.value_or(0) != 0)
    return unsupported(file, "found a mixture of experts, expected a dense model");
  const GgufTensor* embedding = file.find("token_embd.weight");
  if (embedding == nullptr) {
    return make_error(ErrorKind::kCorrupt, "learn",
                      file.path().string() + ": found no tensor token_embd.weight");
  }
  sizes.vocabulary = static_cast<std::int64_t>(embedding->rows());
  return sizes;
}

}  // namespace

Result<std::unique_ptr<Transformer>> load_llama(const GgufFile& file, Arithmetic arithmetic) {
  LLMPATCH_ASSIGN(const Hyperparameters sizes, read_hyperparameters(file));
  auto model = std::make_unique<Llama>(sizes, arithmetic);
  LLMPATCH_TRY(model->load(WeightReader(file, dtype_of(arithmetic))));
  return std::unique_ptr<Transformer>(std::move(model));
}

}  // namespace llmpatch
