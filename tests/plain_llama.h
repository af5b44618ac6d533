// A llama forward pass in LibTorch's stock operators, one text at a time, nothing shared: what the
// packed, prefix-sharing one must agree with.
#pragma once

#include <torch/torch.h>

#include <cmath>
#include <string>
#include <vector>

#include "gguf/gguf_file.h"
#include "learn/weights.h"

namespace llmpatch {

class PlainLlama {
 public:
  PlainLlama(const GgufFile& file, torch::Dtype dtype) : weights_(file, dtype), dtype_(dtype) {
    layers_ = size(file, "llama.block_count");
    width_ = size(file, "llama.embedding_length");
    heads_ = size(file, "llama.attention.head_count");
    kv_heads_ = size(file, "llama.attention.head_count_kv");
    feed_forward_ = size(file, "llama.feed_forward_length");
    epsilon_ = file.number("llama.attention.layer_norm_rms_epsilon").value();
    base_ = file.optional_number("llama.rope.freq_base").value().value_or(10000);
    vocabulary_ = static_cast<std::int64_t>(file.find("token_embd.weight")->rows());
    embedding_ = matrix("token_embd.weight", vocabulary_, width_);
    output_ =
        weights_.has("output.weight") ? matrix("output.weight", vocabulary_, width_) : embedding_;
  }

  // Log-probability of each token of `answer` after rows [n, width] (may be undefined) and
  // `prompt`.
  torch::Tensor token_logprobs(const torch::Tensor& rows, const std::vector<std::int32_t>& prompt,
                               const std::vector<std::int32_t>& answer) const {
    std::vector<std::int64_t> ids(prompt.begin(), prompt.end());
    ids.insert(ids.end(), answer.begin(), answer.end());
    torch::Tensor x = embedding_.index_select(0, torch::tensor(ids, torch::kLong));
    if (rows.defined()) x = torch::cat({rows.to(dtype_), x});
    const torch::Tensor logits = forward(x);
    const auto count = static_cast<std::int64_t>(answer.size());
    const torch::Tensor predicting = logits.narrow(0, logits.size(0) - count - 1, count);
    const torch::Tensor targets =
        torch::tensor(std::vector<std::int64_t>(answer.begin(), answer.end()), torch::kLong);
    return torch::log_softmax(predicting, -1).gather(1, targets.unsqueeze(1)).squeeze(1);
  }

  // Logits [T, vocabulary] of input embeddings [T, width].
  torch::Tensor forward(torch::Tensor x) const {
    const auto length = x.size(0), size = width_ / heads_;
    const torch::Tensor mask = torch::full({length, length}, -INFINITY, x.options()).triu(1);
    for (std::int64_t i = 0; i < layers_; ++i) {
      const std::string block = "blk." + std::to_string(i) + ".";
      torch::Tensor h = norm(x, block + "attn_norm.weight");
      const auto project = [&](const char* name, std::int64_t count) {
        return torch::linear(h, matrix(block + name, count * size, width_))
            .view({length, count, size});
      };
      torch::Tensor q = rotate(project("attn_q.weight", heads_));
      torch::Tensor k =
          rotate(project("attn_k.weight", kv_heads_)).repeat_interleave(heads_ / kv_heads_, 1);
      torch::Tensor v =
          project("attn_v.weight", kv_heads_).repeat_interleave(heads_ / kv_heads_, 1);
      const torch::Tensor scores = torch::matmul(q.transpose(0, 1), k.permute({1, 2, 0})) /
                                       std::sqrt(static_cast<double>(size)) +
                                   mask;
      const torch::Tensor attended = torch::matmul(torch::softmax(scores, -1), v.transpose(0, 1))
                                         .transpose(0, 1)
                                         .reshape({length, width_});
      x = x + torch::linear(attended, matrix(block + "attn_output.weight", width_, width_));
      h = norm(x, block + "ffn_norm.weight");
      const torch::Tensor gate =
          torch::linear(h, matrix(block + "ffn_gate.weight", feed_forward_, width_));
      const torch::Tensor up =
          torch::linear(h, matrix(block + "ffn_up.weight", feed_forward_, width_));
      x = x + torch::linear(torch::silu(gate) * up,
                            matrix(block + "ffn_down.weight", width_, feed_forward_));
    }
    return torch::linear(norm(x, "output_norm.weight"), output_);
  }

  std::int64_t width() const { return width_; }
  std::int64_t vocabulary() const { return vocabulary_; }

 private:
  static std::int64_t size(const GgufFile& file, const std::string& key) {
    return static_cast<std::int64_t>(file.integer(key).value());
  }
  torch::Tensor matrix(const std::string& name, std::int64_t rows, std::int64_t columns) const {
    return weights_.matrix(name, rows, columns).value();
  }
  torch::Tensor norm(const torch::Tensor& x, const std::string& name) const {
    return x * torch::rsqrt(x.square().mean(-1, true) + epsilon_) *
           weights_.vector(name, width_).value();
  }
  // Adjacent pairs turned as complex numbers.
  torch::Tensor rotate(const torch::Tensor& x) const {
    const auto half = x.size(2) / 2;
    const torch::Tensor frequencies =
        torch::pow(base_, -torch::arange(half, torch::kDouble) / static_cast<double>(half));
    const torch::Tensor angles =
        torch::arange(x.size(0), torch::kDouble).unsqueeze(1) * frequencies;
    const torch::Tensor turn = torch::polar(torch::ones_like(angles), angles).unsqueeze(1);
    const torch::Tensor complex =
        torch::view_as_complex(x.to(torch::kDouble).reshape({x.size(0), x.size(1), half, 2}));
    return torch::view_as_real(complex * turn).reshape(x.sizes()).to(x.scalar_type());
  }

  WeightReader weights_;
  torch::Dtype dtype_;
  std::int64_t layers_, width_, heads_, kv_heads_, feed_forward_, vocabulary_;
  double epsilon_, base_;
  torch::Tensor embedding_, output_;
};

}  // namespace llmpatch
