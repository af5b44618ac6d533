#include "learn/output.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>

#include "learn/dtype.h"
#include "learn/linear.h"

namespace llmpatch {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// Of the likeliest other tokens: the larger, the less the others count.
constexpr double kSharpness = 4;
constexpr std::int64_t kChunk = 128;  // rows: 128 x 49,152 f32 logits are 25 MB

Tensor logits_of(const Tensor& hidden, const FrozenMatrix& output) {
  return output.forward(hidden, work_dtype(hidden.scalar_type()));
}

// Calls f(start, count) for every chunk of `rows`.
template <class F>
void for_chunks(std::int64_t rows, F f) {
  for (std::int64_t start = 0; start < rows; start += kChunk) {
    f(start, std::min(kChunk, rows - start));
  }
}

// Both functions give one value a row, so that the gradient of a row is known up to the factor that
// backward() gets: it is computed along with the value, while the logits are there.
class RowFunction {
 public:
  RowFunction(const Tensor& hidden, const FrozenMatrix& output)
      : output_(output),
        dtype_(hidden.scalar_type()),
        work_(work_dtype(hidden.scalar_type())),
        values_(torch::empty({hidden.size(0)}, hidden.options().dtype(work_))) {
    if (hidden.requires_grad()) {
      gradients_ = torch::empty(hidden.sizes(), hidden.options().dtype(work_));
    }
  }

  bool wants_gradient() const { return gradients_.defined(); }
  void set_values(std::int64_t start, const Tensor& values) {
    values_.narrow(0, start, values.size(0)).copy_(values);
  }
  // `logits` [count, vocabulary]: the gradient of the values to the logits.
  void set_gradient(std::int64_t start, const Tensor& logits) {
    gradients_.narrow(0, start, logits.size(0)).copy_(output_.backward(logits.to(dtype_), work_));
  }
  Tensor finish(AutogradContext* context) {
    if (wants_gradient()) context->save_for_backward({gradients_});
    context->saved_data["dtype"] = static_cast<std::int64_t>(dtype_);
    return values_;
  }
  // The gradient to `hidden`, given that of the values.
  static Tensor backward(AutogradContext* context, const Tensor& gradient) {
    const Tensor rows = context->get_saved_variables()[0];
    return (rows * gradient.unsqueeze(1))
        .to(static_cast<torch::Dtype>(context->saved_data["dtype"].toInt()));
  }

 private:
  const FrozenMatrix& output_;
  torch::Dtype dtype_, work_;
  Tensor values_, gradients_;
};

// Log-probabilities of targets, or their margins: how far each is above the logarithm of the sum of
// all (or of all others, sharpened) tokens' exponentials.
class TokenScores : public Function<TokenScores> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& hidden, const FrozenMatrix* output,
                        const Tensor& targets, bool margins) {
    RowFunction function(hidden, *output);
    for_chunks(hidden.size(0), [&](std::int64_t start, std::int64_t count) {
      Tensor logits = logits_of(hidden.narrow(0, start, count), *output);
      const Tensor columns = targets.narrow(0, start, count).unsqueeze(1);
      const Tensor own = logits.gather(1, columns);
      if (margins) {
        logits.scatter_(1, columns, -std::numeric_limits<double>::infinity()).mul_(kSharpness);
      }
      const Tensor log_sums = torch::logsumexp(logits, -1, /*keepdim=*/true);
      function.set_values(start, (own - (margins ? log_sums / kSharpness : log_sums)).squeeze(1));
      if (!function.wants_gradient()) return;
      // d score(t) / d logits = onehot(t) - softmax, of what the sum is over.
      logits.sub_(log_sums).exp_().neg_();
      logits.scatter_add_(1, columns, torch::ones_like(log_sums));
      function.set_gradient(start, logits);
    });
    return function.finish(context);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {RowFunction::backward(context, gradients[0]), Tensor(), Tensor(), Tensor()};
  }
};

class TokenDivergence : public Function<TokenDivergence> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& hidden_base, const Tensor& hidden,
                        const FrozenMatrix* output) {
    RowFunction function(hidden, *output);
    for_chunks(hidden.size(0), [&](std::int64_t start, std::int64_t count) {
      Tensor base = torch::log_softmax(logits_of(hidden_base.narrow(0, start, count), *output), -1);
      Tensor patched = torch::log_softmax(logits_of(hidden.narrow(0, start, count), *output), -1);
      const Tensor probabilities = base.exp();
      function.set_values(start, base.sub_(patched).mul_(probabilities).sum(-1));
      if (!function.wants_gradient()) return;
      // d KL(p || q) / d logits of q = q - p.
      function.set_gradient(start, patched.exp_().sub_(probabilities));
    });
    return function.finish(context);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {Tensor(), RowFunction::backward(context, gradients[0]), Tensor()};
  }
};

}  // namespace

Tensor token_logprobs(const Tensor& hidden, const FrozenMatrix& output, const Tensor& targets) {
  return TokenScores::apply(hidden, &output, targets, /*margins=*/false);
}

Tensor token_margins(const Tensor& hidden, const FrozenMatrix& output, const Tensor& targets) {
  return TokenScores::apply(hidden, &output, targets, /*margins=*/true);
}

Tensor log_taken(const Tensor& hidden, const FrozenMatrix& output, const Tensor& targets,
                 bool greedy) {
  return greedy ? torch::log_sigmoid(token_margins(hidden, output, targets))
                : token_logprobs(hidden, output, targets);
}

Tensor token_divergence(const Tensor& hidden_base, const Tensor& hidden,
                        const FrozenMatrix& output) {
  return TokenDivergence::apply(hidden_base, hidden, &output);
}

}  // namespace llmpatch
