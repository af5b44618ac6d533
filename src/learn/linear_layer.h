// A linear layer of a base model, with the low-rank updates that it is run with.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "learn/adaptation.h"
#include "learn/linear.h"
#include "learn/weights.h"

namespace llmpatch {

// One matrix of the model file, or several with the same inputs stacked by rows: one product
// instead of several. The matrix is frozen; updates are found by the names of its parts, so that an
// architecture need not know of them.
class LinearLayer {
 public:
  LinearLayer() = default;
  // `bias` [outputs of all parts] in the reader's type, or undefined. `int8`:
  // FrozenMatrix::in_int8. Errors of WeightReader.
  static Result<LinearLayer> load(const WeightReader& weights,
                                  std::vector<WeightReader::Part> parts, std::int64_t inputs,
                                  bool int8, torch::Tensor bias = {});

  // x [rows, inputs] . weight^T + bias, and of every part that has an update
  // updates.scale * (x . down^T) . up^T. In x's type; updates are computed in work_dtype() and
  // rounded once. Gradients to x and the updates; the layer must outlive backward().
  torch::Tensor run(const torch::Tensor& x, const LowRankUpdates& updates) const;

 private:
  std::vector<WeightReader::Part> parts_;
  FrozenMatrix weight_;
  torch::Tensor bias_;
};

}  // namespace llmpatch
