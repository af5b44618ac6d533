// The frozen base model on LibTorch: one forward pass over a packed batch. Each architecture is one
// file that makes one of these, and one line in the table of transformer.cc.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "learn/adaptation.h"
#include "learn/arithmetic.h"
#include "learn/layout.h"
#include "learn/linear.h"

namespace llmpatch {

// The sizes a trainer or an artifact has to know.
struct TransformerShape {
  std::int64_t width = 0;  // of an embedding row
  std::int64_t vocabulary = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
};

// Thread-safe for reading; holds the weights. Gradients flow to the embeddings and to low-rank
// updates of the weights.
class Transformer {
 public:
  virtual ~Transformer() = default;

  virtual TransformerShape shape() const = 0;
  // Input embeddings of `ids` [k] as [k, width] f32 (f64 in an f64 model), in the scale forward()
  // expects.
  virtual torch::Tensor embed(const torch::Tensor& ids) const = 0;
  // Hidden states after the final norm, [layout.rows, width], ready for output(). `embeddings`
  // [layout.rows, width]: the prefix rows, the companion's, then every token's. `updates` of matrices
  // that the model has no linear layer of are not looked at. `layout` must outlive backward().
  virtual torch::Tensor forward(const torch::Tensor& embeddings, const Layout& layout,
                                const LowRankUpdates& updates) const = 0;
  // The output matrix [vocabulary, width]; logits are hidden . output^T.
  virtual const FrozenMatrix& output() const = 0;
};

// Loads a base model's weights, dequantised, to compute in `arithmetic` (kF64 is for gradient
// checks). kUnsupported names the architectures there are; kCorrupt for missing tensors or
// shapes that do not fit.
Result<std::unique_ptr<Transformer>> load_transformer(const GgufFile& file, Arithmetic arithmetic);
std::vector<std::string> transformer_architectures();

// Runs `layout`, packed behind as many rows as `adaptation` has, beside the layout's companion where
// it has one, and returns the hidden states.
torch::Tensor run_batch(const Transformer& model, const Adaptation& adaptation,
                        const Layout& layout);

}  // namespace llmpatch
