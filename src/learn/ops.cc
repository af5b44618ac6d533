#include "learn/ops.h"

#include <torch/csrc/autograd/custom_function.h>

namespace llmpatch {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

class RmsNorm : public Function<RmsNorm> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        double epsilon, torch::Dtype out) {
    const Tensor inverse = x.square().mean(-1, /*keepdim=*/true).add_(epsilon).rsqrt_();
    context->save_for_backward({x, inverse, weight});
    return (x * inverse).mul_(weight).to(out);
  }
  // d/dx = r (g - x r^2 mean(g x)), with g the gradient times the weight and r the inverse RMS.
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &inverse = saved[1], &weight = saved[2];
    Tensor g = gradients[0].to(x.scalar_type()).mul(weight);
    const Tensor mean = (g * x).mean(-1, /*keepdim=*/true).mul_(inverse.square());
    return {g.addcmul_(x, mean, -1).mul_(inverse), Tensor(), Tensor(), Tensor()};
  }
};

class SwiGlu : public Function<SwiGlu> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& gate_up) {
    context->save_for_backward({gate_up});
    const auto parts = gate_up.chunk(2, -1);
    return torch::silu(parts[0]).mul_(parts[1]);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Tensor gate_up = context->get_saved_variables()[0];
    const auto parts = gate_up.chunk(2, -1);
    const Tensor& grad = gradients[0];
    Tensor result = torch::empty_like(gate_up);
    const auto halves = result.chunk(2, -1);
    const Tensor gate = torch::sigmoid(parts[0]);
    const Tensor activated = parts[0] * gate;  // silu
    halves[1].copy_(grad * activated);
    // silu' = s + silu (1 - s)
    halves[0].copy_((gate + activated * (1 - gate)).mul_(parts[1]).mul_(grad));
    return {result};
  }
};

Tensor rotated(const Tensor& x, const Tensor& cos, const Tensor& sin, std::int64_t head_size) {
  const auto rows = x.size(0);
  const Tensor pairs = x.reshape({rows, x.size(1) / head_size, head_size / 2, 2});
  const Tensor first = pairs.select(-1, 0), second = pairs.select(-1, 1);
  const Tensor c = cos.unsqueeze(1), s = sin.unsqueeze(1);
  return torch::stack({first * c - second * s, first * s + second * c}, -1)
      .reshape(x.sizes())
      .to(x.scalar_type());
}

class RotatePairs : public Function<RotatePairs> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& cos,
                        const Tensor& sin, std::int64_t head_size) {
    context->save_for_backward({cos, sin});
    context->saved_data["head_size"] = head_size;
    return rotated(x, cos, sin, head_size);
  }
  // A rotation's transpose is the rotation back.
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    return {rotated(gradients[0], saved[0], -saved[1], context->saved_data["head_size"].toInt()),
            Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon, torch::Dtype out) {
  return RmsNorm::apply(x, weight, epsilon, out);
}

Tensor swiglu(const Tensor& gate_up) { return SwiGlu::apply(gate_up); }

Tensor rotate_pairs(const Tensor& x, const Tensor& cos, const Tensor& sin,
                    std::int64_t head_size) {
  return RotatePairs::apply(x, cos, sin, head_size);
}

}  // namespace llmpatch
