#include "learn/attention.h"

#include <torch/csrc/autograd/custom_function.h>

#include "learn/parallel.h"

namespace llmpatch {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

class PrefixAttention : public Function<PrefixAttention> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& qkv, const Tensor& cos,
                        const Tensor& sin, const Layout* layout, const AttentionShape& shape) {
    const auto work = work_dtype(qkv.scalar_type());
    Tensor out = torch::empty({layout->rows, shape.heads * shape.head_size}, qkv.options());
    Tensor log_sums = torch::empty({layout->rows, shape.heads}, qkv.options().dtype(work));
    with_scalar(qkv.scalar_type(), [&]<class T>(T) {
      using W = Work<T>;
      attention_forward<T, W>(*layout, shape, data<T>(qkv), data<W>(cos), data<W>(sin),
                              data<T>(out), data<W>(log_sums), run_tasks);
    });
    context->save_for_backward({qkv, cos, sin, out, log_sums});
    context->saved_data["layout"] = reinterpret_cast<std::int64_t>(layout);
    context->saved_data["heads"] = shape.heads;
    context->saved_data["kv_heads"] = shape.kv_heads;
    context->saved_data["head_size"] = shape.head_size;
    context->saved_data["scale"] = shape.scale;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &qkv = saved[0], &cos = saved[1], &sin = saved[2], &out = saved[3],
                 &log_sums = saved[4];
    const auto* layout = reinterpret_cast<const Layout*>(context->saved_data["layout"].toInt());
    const AttentionShape shape{
        context->saved_data["heads"].toInt(), context->saved_data["kv_heads"].toInt(),
        context->saved_data["head_size"].toInt(), context->saved_data["scale"].toDouble()};
    const Tensor grad_out = gradients[0].contiguous();
    Tensor grad_qkv = torch::empty_like(qkv);
    with_scalar(qkv.scalar_type(), [&]<class T>(T) {
      using W = Work<T>;
      attention_backward<T, W>(*layout, shape, data<T>(qkv), data<W>(cos), data<W>(sin),
                               data<T>(out), data<W>(log_sums), data<T>(grad_out),
                               data<T>(grad_qkv), run_tasks);
    });
    return {grad_qkv, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor prefix_attention(const Tensor& qkv, const Tensor& cos, const Tensor& sin,
                        const Layout& layout, const AttentionShape& shape) {
  return PrefixAttention::apply(qkv.contiguous(), cos, sin, &layout, shape);
}

}  // namespace llmpatch
