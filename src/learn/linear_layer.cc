#include "learn/linear_layer.h"

#include <torch/csrc/autograd/custom_function.h>

#include "learn/dtype.h"

namespace llmpatch {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// scale * (x . down^T) . up^T in the factors' type. An autograd function of its own, so that x is
// kept as it is, often bf16, and not a second time in the factors' type.
class LowRankProduct : public Function<LowRankProduct> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& down,
                        const Tensor& up, double scale) {
    const Tensor inner = torch::mm(x.to(down.scalar_type()), down.t());
    context->save_for_backward({x, down, up, inner});
    context->saved_data["scale"] = scale;
    context->saved_data["wants_x"] = x.requires_grad();
    return torch::mm(inner, up.t()).mul_(scale);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &down = saved[1], &up = saved[2], &inner = saved[3];
    const Tensor outer = gradients[0] * context->saved_data["scale"].toDouble();
    const Tensor inner_gradient = torch::mm(outer, up);
    Tensor x_gradient;
    if (context->saved_data["wants_x"].toBool()) {
      x_gradient = torch::mm(inner_gradient, down).to(x.scalar_type());
    }
    return {x_gradient, torch::mm(inner_gradient.t(), x.to(down.scalar_type())),
            torch::mm(outer.t(), inner), Tensor()};
  }
};

}  // namespace

Result<LinearLayer> LinearLayer::load(const WeightReader& weights,
                                      std::vector<WeightReader::Part> parts, std::int64_t inputs,
                                      bool int8, Tensor bias) {
  LinearLayer layer;
  LLMPATCH_ASSIGN(Tensor matrix, weights.stacked(parts, inputs));
  layer.weight_ = int8 ? FrozenMatrix::in_int8(std::move(matrix)) : FrozenMatrix(std::move(matrix));
  layer.parts_ = std::move(parts);
  layer.bias_ = std::move(bias);
  return layer;
}

Tensor LinearLayer::run(const Tensor& x, const LowRankUpdates& updates) const {
  const Tensor y = frozen_linear(x, weight_, bias_);
  if (updates.empty()) return y;
  const torch::Dtype work = work_dtype(x.scalar_type());
  std::vector<Tensor> changes;
  bool changed = false;
  for (const WeightReader::Part& part : parts_) {
    const LowRankUpdate* update = updates.find(part.name);
    changed = changed || update != nullptr;
    changes.push_back(
        update == nullptr
            ? torch::zeros({x.size(0), part.outputs}, x.options().dtype(work))
            : LowRankProduct::apply(x, update->down.to(work), update->up.to(work), updates.scale));
  }
  if (!changed) return y;
  const Tensor change = changes.size() == 1 ? changes.front() : torch::cat(changes, 1);
  return (y + change).to(y.scalar_type());
}

}  // namespace llmpatch
