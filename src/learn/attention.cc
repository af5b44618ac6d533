#include "learn/attention.h"

#include <torch/csrc/autograd/custom_function.h>

namespace llmpatch {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// Views of one sequence's heads. Grouped heads are laid out [kv_heads, group * length, size], so
// that every key-value head is one matrix product for its whole group of query heads.
struct Heads {
  const AttentionShape& shape;
  std::int64_t group = shape.heads / shape.kv_heads;

  Tensor split_queries(const Tensor& rows) const {
    const auto length = rows.size(0);
    return rows.view({length, shape.kv_heads, group, shape.head_size})
        .permute({1, 2, 0, 3})
        .reshape({shape.kv_heads, group * length, shape.head_size});
  }
  Tensor join_queries(const Tensor& heads) const {
    const auto length = heads.size(1) / group;
    return heads.view({shape.kv_heads, group, length, shape.head_size})
        .permute({2, 0, 1, 3})
        .reshape({length, shape.heads * shape.head_size});
  }
  Tensor split_keys(const Tensor& rows) const {
    return rows.view({rows.size(0), shape.kv_heads, shape.head_size}).permute({1, 0, 2});
  }
  Tensor join_keys(const Tensor& heads) const {
    return heads.permute({1, 0, 2}).reshape({heads.size(1), shape.kv_heads * shape.head_size});
  }
};

// The keys (or values) that a sequence sees: the prefix's, then its own; [kv_heads, n + length, size].
Tensor visible(const Heads& heads, const Tensor& all, const Layout& layout,
               const Layout::Span& span) {
  const Tensor own = all.narrow(0, span.start, span.length);
  if (layout.prefix_rows == 0 || span.start == 0) return heads.split_keys(own).contiguous();
  return heads.split_keys(torch::cat({all.narrow(0, 0, layout.prefix_rows), own})).contiguous();
}

// Masked scores [kv_heads, group * length, columns] of split queries against visible keys.
Tensor scores(const Heads& heads, const Tensor& queries, const Tensor& keys, const Tensor& mask) {
  Tensor result = torch::bmm(queries, keys.transpose(1, 2)).mul_(heads.shape.scale);
  result.view({heads.shape.kv_heads, heads.group, mask.size(0), mask.size(1)}).add_(mask);
  return result;
}

// Every attention problem of the layout: the prefix on itself, then each sequence.
std::vector<Layout::Span> problems(const Layout& layout) {
  std::vector<Layout::Span> spans;
  if (layout.prefix_rows > 0) spans.push_back({0, layout.prefix_rows, layout.prefix_mask});
  spans.insert(spans.end(), layout.sequences.begin(), layout.sequences.end());
  return spans;
}

class PrefixAttention : public Function<PrefixAttention> {
 public:
  // `layout` must outlive the backward pass: the caller's batch does.
  static Tensor forward(AutogradContext* context, const Tensor& q, const Tensor& k, const Tensor& v,
                        const Layout* layout, const AttentionShape& shape) {
    const Heads heads{shape};
    const auto work = q.scalar_type() == torch::kDouble ? torch::kDouble : torch::kFloat32;
    Tensor out = torch::empty_like(q);
    variable_list saved{q, k, v, out};
    for (const auto& span : problems(*layout)) {
      const Tensor queries = heads.split_queries(q.narrow(0, span.start, span.length)).to(work);
      const Tensor keys = visible(heads, k, *layout, span).to(work);
      const Tensor values = visible(heads, v, *layout, span).to(work);
      Tensor probabilities = scores(heads, queries, keys, span.mask);
      const Tensor normaliser = torch::logsumexp(probabilities, -1, /*keepdim=*/true);
      probabilities.sub_(normaliser).exp_();
      out.narrow(0, span.start, span.length)
          .copy_(heads.join_queries(torch::bmm(probabilities, values)));
      saved.push_back(normaliser);
    }
    context->save_for_backward(saved);
    context->saved_data["layout"] = reinterpret_cast<std::int64_t>(layout);
    context->saved_data["heads"] = shape.heads;
    context->saved_data["kv_heads"] = shape.kv_heads;
    context->saved_data["head_size"] = shape.head_size;
    context->saved_data["scale"] = shape.scale;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto* layout =
        reinterpret_cast<const Layout*>(context->saved_data["layout"].toInt());
    const AttentionShape shape{context->saved_data["heads"].toInt(),
                               context->saved_data["kv_heads"].toInt(),
                               context->saved_data["head_size"].toInt(),
                               context->saved_data["scale"].toDouble()};
    const Heads heads{shape};
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3];
    const auto work = q.scalar_type() == torch::kDouble ? torch::kDouble : torch::kFloat32;
    const Tensor grad_out = gradients[0];
    Tensor grad_q = torch::empty_like(q);
    Tensor grad_k = torch::zeros(k.sizes(), k.options().dtype(work));
    Tensor grad_v = torch::zeros(v.sizes(), v.options().dtype(work));
    // Adds the gradient of a sequence's visible rows to the prefix's rows and to its own.
    const auto scatter = [&](Tensor& into, const Tensor& rows, const Layout::Span& span) {
      const auto prefix = rows.size(0) - span.length;
      if (prefix > 0) into.narrow(0, 0, prefix).add_(rows.narrow(0, 0, prefix));
      into.narrow(0, span.start, span.length).add_(rows.narrow(0, prefix, span.length));
    };
    std::size_t index = 4;
    for (const auto& span : problems(*layout)) {
      const auto slice = [&](const Tensor& all) {
        return heads.split_queries(all.narrow(0, span.start, span.length)).to(work);
      };
      const Tensor queries = slice(q), outputs = slice(out), grad = slice(grad_out);
      const Tensor keys = visible(heads, k, *layout, span).to(work);
      const Tensor values = visible(heads, v, *layout, span).to(work);
      const Tensor probabilities =
          scores(heads, queries, keys, span.mask).sub_(saved[index++]).exp_();
      scatter(grad_v, heads.join_keys(torch::bmm(probabilities.transpose(1, 2), grad)), span);
      const Tensor mean = (grad * outputs).sum(-1, /*keepdim=*/true);
      Tensor grad_scores = torch::bmm(grad, values.transpose(1, 2));
      grad_scores.sub_(mean).mul_(probabilities).mul_(shape.scale);
      grad_q.narrow(0, span.start, span.length)
          .copy_(heads.join_queries(torch::bmm(grad_scores, keys)));
      scatter(grad_k, heads.join_keys(torch::bmm(grad_scores.transpose(1, 2), queries)), span);
    }
    return {grad_q, grad_k.to(k.scalar_type()), grad_v.to(v.scalar_type()), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor prefix_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Layout& layout,
                        const AttentionShape& shape) {
  return PrefixAttention::apply(q, k, v, &layout, shape);
}

}  // namespace llmpatch
