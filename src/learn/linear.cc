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
  return (transposed ? torch::linear(x, weight) : torch::mm(x, weight)).to(out_dtype);
}

class FrozenLinear : public Function<FrozenLinear> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight) {
    context->save_for_backward({weight});
    return product(x, weight, true, x.scalar_type());
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Tensor weight = context->get_saved_variables()[0];
    return {product(gradients[0], weight, false, weight.scalar_type()), Tensor()};
  }
};

}  // namespace

Tensor frozen_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor y = FrozenLinear::apply(x, weight);
  return bias.defined() ? y + bias : y;
}

Tensor product_transposed(const Tensor& x, const Tensor& weight, torch::Dtype out) {
  return product(x, weight, true, out);
}

Tensor product_plain(const Tensor& x, const Tensor& weight, torch::Dtype out) {
  return product(x, weight, false, out);
}

}  // namespace llmpatch
