#include "learn/ops.h"

#include <torch/csrc/autograd/custom_function.h>

#include "learn/elementwise_kernel.h"
#include "learn/parallel.h"

namespace llmpatch {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

constexpr std::int64_t kGrain = 16;  // rows

// Runs the norm's kernels over all rows. Undefined tensors are null for the kernels.
struct Norm {
  template <class T>
  static const T* at(const Tensor& tensor, std::int64_t offset) {
    return tensor.defined() ? data<T>(tensor) + offset : nullptr;
  }
  template <class T>
  static T* at(Tensor& tensor, std::int64_t offset) {
    return tensor.defined() ? data<T>(tensor) + offset : nullptr;
  }

  static void forward(const Tensor& x, const Tensor& y, const Tensor& weight, double epsilon,
                      Tensor& sum, Tensor& out, Tensor& inverse) {
    const auto width = x.size(1);
    with_scalar(out.scalar_type(), [&]<class T>(T) {
      using W = Work<T>;
      parallel(x.size(0), kGrain, [&](std::int64_t begin, std::int64_t end) {
        const auto offset = begin * width;
        add_norm_forward<T, W>(end - begin, width, at<W>(x, offset), at<T>(y, offset),
                               data<W>(weight), static_cast<W>(epsilon), at<W>(sum, offset),
                               at<T>(out, offset), at<W>(inverse, begin));
      });
    });
  }

  static void backward(const Tensor& sum, const Tensor& weight, const Tensor& inverse,
                       const Tensor& grad_out, const Tensor& through, Tensor& grad_sum,
                       Tensor& grad_y) {
    const auto width = sum.size(1);
    with_scalar(grad_out.scalar_type(), [&]<class T>(T) {
      using W = Work<T>;
      parallel(sum.size(0), kGrain, [&](std::int64_t begin, std::int64_t end) {
        const auto offset = begin * width;
        add_norm_backward<T, W>(end - begin, width, at<W>(sum, offset), data<W>(weight),
                                at<W>(inverse, begin), at<T>(grad_out, offset),
                                at<W>(through, offset), at<W>(grad_sum, offset),
                                at<T>(grad_y, offset));
      });
    });
  }
};

class RmsNorm : public Function<RmsNorm> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        double epsilon, torch::Dtype out_dtype) {
    Tensor out = torch::empty(x.sizes(), x.options().dtype(out_dtype));
    Tensor inverse = torch::empty({x.size(0)}, x.options()), none;
    Norm::forward(x, none, weight, epsilon, none, out, inverse);
    context->save_for_backward({x, weight, inverse});
    return out;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    Tensor grad = torch::empty_like(saved[0]), none;
    Norm::backward(saved[0], saved[1], saved[2], gradients[0].contiguous(), none, grad, none);
    return {grad, Tensor(), Tensor(), Tensor()};
  }
};

class AddNorm : public Function<AddNorm> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& x, const Tensor& y,
                               const Tensor& weight, double epsilon) {
    Tensor sum = torch::empty_like(x), out = torch::empty_like(y);
    Tensor inverse = torch::empty({x.size(0)}, x.options());
    Norm::forward(x, y, weight, epsilon, sum, out, inverse);
    context->save_for_backward({sum, weight, inverse});
    return {sum, out};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor grad_out = gradients[1].contiguous();
    Tensor grad_sum = torch::empty_like(saved[0]), grad_y = torch::empty_like(grad_out);
    Norm::backward(saved[0], saved[1], saved[2], grad_out, gradients[0].contiguous(), grad_sum,
                   grad_y);
    return {grad_sum, grad_y, Tensor(), Tensor()};
  }
};

class SwiGlu : public Function<SwiGlu> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& gate_up) {
    const auto rows = gate_up.size(0), width = gate_up.size(1) / 2;
    Tensor out = torch::empty({rows, width}, gate_up.options());
    with_scalar(gate_up.scalar_type(), [&]<class T>(T) {
      parallel(rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
        swiglu_forward<T, Work<T>>(end - begin, width, data<T>(gate_up) + begin * 2 * width,
                                   data<T>(out) + begin * width);
      });
    });
    context->save_for_backward({gate_up});
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Tensor gate_up = context->get_saved_variables()[0];
    const auto rows = gate_up.size(0), width = gate_up.size(1) / 2;
    const Tensor grad_out = gradients[0].contiguous();
    Tensor grad = torch::empty_like(gate_up);
    with_scalar(gate_up.scalar_type(), [&]<class T>(T) {
      parallel(rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
        swiglu_backward<T, Work<T>>(end - begin, width, data<T>(gate_up) + begin * 2 * width,
                                    data<T>(grad_out) + begin * width,
                                    data<T>(grad) + begin * 2 * width);
      });
    });
    return {grad};
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon, torch::Dtype out) {
  return RmsNorm::apply(x.contiguous(), weight, epsilon, out);
}

std::pair<Tensor, Tensor> add_norm(const Tensor& x, const Tensor& y, const Tensor& weight,
                                   double epsilon) {
  const auto results = AddNorm::apply(x.contiguous(), y.contiguous(), weight, epsilon);
  return {results[0], results[1]};
}

Tensor swiglu(const Tensor& gate_up) { return SwiGlu::apply(gate_up.contiguous()); }

}  // namespace llmpatch
