#include "learn/linear.h"

#include <torch/csrc/autograd/custom_function.h>

#include "learn/bf16_kernel.h"
#include "learn/parallel.h"

namespace llmpatch {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

template <class T>
bool bf16_into(const Tensor& x, const Tensor& weight, bool transposed, Tensor& out) {
  return bf16_product<T>(x.size(0), out.size(1), x.size(1), data<Bf16>(x), data<Bf16>(weight),
                         transposed, data<T>(out), at::get_num_threads(), run_tasks);
}

// x . weight^T when `transposed`, else x . weight.
Tensor product(const Tensor& x, const Tensor& weight, bool transposed, torch::Dtype out_dtype) {
  if (x.scalar_type() == torch::kBFloat16 && weight.is_contiguous()) {
    Tensor out =
        torch::empty({x.size(0), weight.size(transposed ? 0 : 1)}, x.options().dtype(out_dtype));
    const Tensor dense = x.contiguous();
    const bool done =
        out_dtype == torch::kFloat32
            ? bf16_into<float>(dense, weight, transposed, out)
            : out_dtype == torch::kBFloat16 && bf16_into<Bf16>(dense, weight, transposed, out);
    if (done) return out;
  }
  const auto multiply = [&](const Tensor& a, const Tensor& b) {
    return (transposed ? torch::linear(a, b) : torch::mm(a, b)).to(out_dtype);
  };
  // LibTorch's own product of bf16 rounds its partial sums to eight digits where the processor has
  // no instruction for it.
  if (x.scalar_type() == torch::kBFloat16) {
    return multiply(x.to(torch::kFloat32), weight.to(torch::kFloat32));
  }
  return multiply(x, weight);
}

// a . matrix, as f32 or bf16.
Tensor product(const Tensor& a, const Int8Matrix& matrix, torch::Dtype out_dtype) {
  const Tensor dense = a.contiguous();
  Tensor out = torch::empty({a.size(0), matrix.columns()}, a.options().dtype(out_dtype));
  const auto into = [&](auto* values) {
    matrix.multiply(a.size(0), data<Bf16>(dense), values, at::get_num_threads(), run_tasks);
  };
  out_dtype == torch::kFloat32 ? into(data<float>(out)) : into(data<Bf16>(out));
  return out;
}

class FrozenLinear : public Function<FrozenLinear> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const FrozenMatrix* weight) {
    context->saved_data["weight"] = reinterpret_cast<std::int64_t>(weight);
    return weight->forward(x, x.scalar_type());
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto* weight =
        reinterpret_cast<const FrozenMatrix*>(context->saved_data["weight"].toInt());
    return {weight->backward(gradients[0], gradients[0].scalar_type()), Tensor()};
  }
};

}  // namespace

FrozenMatrix FrozenMatrix::in_int8(Tensor weight) {
  const std::int64_t outputs = weight.size(0), depth = weight.size(1);
  FrozenMatrix matrix;
  if (!has_fast_int8() || outputs % Int8Matrix::kBlock != 0 || depth % Int8Matrix::kBlock != 0) {
    matrix.plain_ = std::move(weight);
    return matrix;
  }
  const Tensor dense = weight.contiguous();
  const Bf16* values = data<Bf16>(dense);
  matrix.forward_ = std::make_shared<Int8Matrix>(depth, outputs, values, 1, depth, run_tasks);
  matrix.backward_ = std::make_shared<Int8Matrix>(outputs, depth, values, depth, 1, run_tasks);
  return matrix;
}

Tensor FrozenMatrix::forward(const Tensor& x, torch::Dtype out) const {
  return forward_ ? product(x, *forward_, out) : product(x, plain_, true, out);
}

Tensor FrozenMatrix::backward(const Tensor& gradient, torch::Dtype out) const {
  return backward_ ? product(gradient, *backward_, out) : product(gradient, plain_, false, out);
}

Tensor frozen_linear(const Tensor& x, const FrozenMatrix& weight, const Tensor& bias) {
  const Tensor y = FrozenLinear::apply(x, &weight);
  return bias.defined() ? y + bias : y;
}

}  // namespace llmpatch
