#include "learn/output.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "learn/dtype.h"

namespace llmpatch {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

constexpr std::int64_t kChunk = 128;  // rows: 128 x 49,152 f32 logits are 25 MB

Tensor log_softmax_of(const Tensor& hidden, const Tensor& output) {
  return torch::log_softmax(torch::linear(hidden, output).to(work_dtype(hidden.scalar_type())), -1);
}

// Calls f(start, count) for every chunk of `rows`.
template <class F>
void for_chunks(std::int64_t rows, F f) {
  for (std::int64_t start = 0; start < rows; start += kChunk) {
    f(start, std::min(kChunk, rows - start));
  }
}

class TokenLogprobs : public Function<TokenLogprobs> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& hidden, const Tensor& output,
                        const Tensor& targets) {
    context->save_for_backward({hidden, output, targets});
    Tensor result =
        torch::empty({hidden.size(0)}, hidden.options().dtype(work_dtype(hidden.scalar_type())));
    for_chunks(hidden.size(0), [&](std::int64_t start, std::int64_t count) {
      const Tensor logits = torch::linear(hidden.narrow(0, start, count), output)
                                .to(work_dtype(hidden.scalar_type()));
      const Tensor chosen =
          logits.gather(1, targets.narrow(0, start, count).unsqueeze(1)).squeeze(1);
      result.narrow(0, start, count).copy_(chosen - torch::logsumexp(logits, -1));
    });
    return result;
  }
  // d log p(t) / d logits = onehot(t) - p.
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &hidden = saved[0], &output = saved[1], &targets = saved[2];
    Tensor result = torch::empty_like(hidden);
    for_chunks(hidden.size(0), [&](std::int64_t start, std::int64_t count) {
      const Tensor logits = torch::linear(hidden.narrow(0, start, count), output)
                                .to(work_dtype(hidden.scalar_type()));
      const Tensor grad = gradients[0].narrow(0, start, count).unsqueeze(1);
      Tensor grad_logits = torch::softmax(logits, -1).mul_(-grad);
      grad_logits.scatter_add_(1, targets.narrow(0, start, count).unsqueeze(1), grad);
      result.narrow(0, start, count).copy_(torch::mm(grad_logits.to(output.scalar_type()), output));
    });
    return {result, Tensor(), Tensor()};
  }
};

class TokenDivergence : public Function<TokenDivergence> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& hidden_base, const Tensor& hidden,
                        const Tensor& output) {
    context->save_for_backward({hidden_base, hidden, output});
    Tensor result =
        torch::empty({hidden.size(0)}, hidden.options().dtype(work_dtype(hidden.scalar_type())));
    for_chunks(hidden.size(0), [&](std::int64_t start, std::int64_t count) {
      const Tensor base = log_softmax_of(hidden_base.narrow(0, start, count), output);
      const Tensor patched = log_softmax_of(hidden.narrow(0, start, count), output);
      result.narrow(0, start, count).copy_((base.exp() * (base - patched)).sum(-1));
    });
    return result;
  }
  // d KL(p || q) / d logits of q = q - p.
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &hidden_base = saved[0], &hidden = saved[1], &output = saved[2];
    Tensor result = torch::empty_like(hidden);
    for_chunks(hidden.size(0), [&](std::int64_t start, std::int64_t count) {
      const Tensor base = log_softmax_of(hidden_base.narrow(0, start, count), output);
      Tensor difference = log_softmax_of(hidden.narrow(0, start, count), output).exp_();
      difference.sub_(base.exp()).mul_(gradients[0].narrow(0, start, count).unsqueeze(1));
      result.narrow(0, start, count).copy_(torch::mm(difference.to(output.scalar_type()), output));
    });
    return {Tensor(), result, Tensor()};
  }
};

}  // namespace

Tensor token_logprobs(const Tensor& hidden, const Tensor& output, const Tensor& targets) {
  return TokenLogprobs::apply(hidden, output, targets);
}

Tensor token_divergence(const Tensor& hidden_base, const Tensor& hidden, const Tensor& output) {
  return TokenDivergence::apply(hidden_base, hidden, output);
}

}  // namespace llmpatch
