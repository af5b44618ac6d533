#include "learn/attention_kernel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "learn/matrix_kernel.h"
#include "learn/scalar.h"

namespace llmpatch {
namespace {

constexpr std::int64_t kBlock = 64;  // query rows at a time

std::int64_t round_up(std::int64_t value, std::int64_t to) { return (value + to - 1) / to * to; }

// Reads `size` values of a row and rotates adjacent pairs.
template <class T, class W>
void load_rotated(const T* from, const W* cos, const W* sin, std::int64_t size, W* to) {
  for (std::int64_t i = 0; i < size / 2; ++i) {
    const W a = load(from[2 * i]), b = load(from[2 * i + 1]);
    to[2 * i] = a * cos[i] - b * sin[i];
    to[2 * i + 1] = a * sin[i] + b * cos[i];
  }
}

// Rotates back and stores.
template <class T, class W>
void store_unrotated(const W* from, const W* cos, const W* sin, std::int64_t size, T* to) {
  for (std::int64_t i = 0; i < size / 2; ++i) {
    const W a = from[2 * i], b = from[2 * i + 1];
    store(to[2 * i], a * cos[i] + b * sin[i]);
    store(to[2 * i + 1], b * cos[i] - a * sin[i]);
  }
}

template <class T, class W>
void load_plain(const T* from, std::int64_t size, W* to) {
  for (std::int64_t i = 0; i < size; ++i) to[i] = load(from[i]);
}

template <class T, class W>
void store_plain(const W* from, std::int64_t size, T* to) {
  for (std::int64_t i = 0; i < size; ++i) store(to[i], from[i]);
}

// One sequence and one key-value head: the keys and values its rows can see, as W.
template <class T, class W>
struct Problem {
  const Layout& layout;
  const AttentionShape& shape;
  const Layout::Span& span;
  std::int64_t kv_head;
  std::int64_t prefix;          // rows before the sequence that are visible
  std::int64_t visible;         // prefix + span.length
  std::int64_t stride;          // visible, rounded up to whole vectors
  std::vector<W> keys, values;  // [visible, head_size]
  std::vector<W> turned;        // [head_size, stride]: keys (or values) transposed

  Problem(const Layout& all, const AttentionShape& sizes, std::int64_t task)
      : layout(all),
        shape(sizes),
        span(all.spans[static_cast<std::size_t>(task / sizes.kv_heads)]),
        kv_head(task % sizes.kv_heads),
        prefix(span.before),
        visible(prefix + span.length),
        stride(round_up(visible, kLanes<W>)) {}

  std::int64_t group() const { return shape.heads / shape.kv_heads; }
  // The batch row of visible row i.
  std::int64_t row(std::int64_t i) const { return i < prefix ? i : span.start + i - prefix; }
  std::int64_t key_column() const { return (shape.heads + kv_head) * shape.head_size; }
  std::int64_t value_column() const { return key_column() + shape.kv_heads * shape.head_size; }

  void gather(const T* qkv, const W* cos, const W* sin) {
    const auto size = shape.head_size, half = size / 2;
    keys.resize(static_cast<std::size_t>(visible * size));
    values.resize(keys.size());
    for (std::int64_t i = 0; i < visible; ++i) {
      const T* from = qkv + row(i) * shape.columns();
      load_rotated(from + key_column(), cos + row(i) * half, sin + row(i) * half, size,
                   keys.data() + i * size);
      load_plain(from + value_column(), size, values.data() + i * size);
    }
  }

  void turn(const std::vector<W>& matrix) {
    turned.assign(static_cast<std::size_t>(shape.head_size * stride), W(0));
    for (std::int64_t i = 0; i < visible; ++i) {
      for (std::int64_t d = 0; d < shape.head_size; ++d) {
        turned[static_cast<std::size_t>(d * stride + i)] =
            matrix[static_cast<std::size_t>(i * shape.head_size + d)];
      }
    }
  }
};

// Queries of `count` rows from `first` of the span, of one head.
template <class T, class W>
void gather_queries(const Problem<T, W>& problem, const T* qkv, const W* cos, const W* sin,
                    std::int64_t head, std::int64_t first, std::int64_t count, W* queries) {
  const auto size = problem.shape.head_size, half = size / 2;
  for (std::int64_t r = 0; r < count; ++r) {
    const std::int64_t row = problem.span.start + first + r;
    load_rotated(qkv + row * problem.shape.columns() + head * size, cos + row * half,
                 sin + row * half, size, queries + r * size);
  }
}

// Calls f(from, to) for the two runs of columns that row i of the span looks at.
template <class T, class W, class F>
void for_visible(const Problem<T, W>& problem, std::int64_t i, F f) {
  const auto index = static_cast<std::size_t>(i);
  f(std::int64_t{0}, problem.span.shared[index]);
  f(problem.span.own[index], problem.prefix + i + 1);
}

// Replaces scores by exp(score * scale - subtract) on visible columns and 0 elsewhere.
template <class T, class W>
void exponentiate(const Problem<T, W>& problem, std::int64_t i, std::int64_t columns, W subtract,
                  W* scores) {
  const W scale = static_cast<W>(problem.shape.scale);
  std::int64_t done = 0;
  for_visible(problem, i, [&](std::int64_t from, std::int64_t to) {
    std::fill(scores + done, scores + from, W(0));
    for (std::int64_t j = from; j < to; ++j) scores[j] = std::exp(scores[j] * scale - subtract);
    done = to;
  });
  std::fill(scores + done, scores + columns, W(0));
}

}  // namespace

template <class T, class W>
void attention_forward(const Layout& layout, const AttentionShape& shape, const T* qkv,
                       const W* cos, const W* sin, T* out, W* log_sums, const RunTasks& run) {
  const auto size = shape.head_size;
  run(static_cast<std::int64_t>(layout.spans.size()) * shape.kv_heads, [&](std::int64_t task) {
    Problem<T, W> problem(layout, shape, task);
    problem.gather(qkv, cos, sin);
    problem.turn(problem.keys);
    const auto block = static_cast<std::size_t>(kBlock);
    std::vector<W> queries(block * static_cast<std::size_t>(size)), result(queries.size());
    std::vector<W> scores(block * static_cast<std::size_t>(problem.stride));
    for (std::int64_t g = 0; g < problem.group(); ++g) {
      const std::int64_t head = problem.kv_head * problem.group() + g;
      for (std::int64_t first = 0; first < problem.span.length; first += kBlock) {
        const auto count = std::min(kBlock, problem.span.length - first);
        const auto columns = problem.prefix + first + count;  // nothing beyond is visible
        gather_queries(problem, qkv, cos, sin, head, first, count, queries.data());
        product(count, columns, size, queries.data(), size, std::int64_t{1}, problem.turned.data(),
                problem.stride, scores.data(), problem.stride, false);
        for (std::int64_t r = 0; r < count; ++r) {
          W* row = scores.data() + r * problem.stride;
          W largest = -std::numeric_limits<W>::max();
          for_visible(problem, first + r, [&](std::int64_t from, std::int64_t to) {
            for (std::int64_t j = from; j < to; ++j) largest = std::max(largest, row[j]);
          });
          largest *= static_cast<W>(shape.scale);
          exponentiate(problem, first + r, columns, largest, row);
          W sum = 0;
          for (std::int64_t j = 0; j < columns; ++j) sum += row[j];
          const W inverse = 1 / sum;
          for (std::int64_t j = 0; j < columns; ++j) row[j] *= inverse;
          log_sums[(problem.span.start + first + r) * shape.heads + head] = largest + std::log(sum);
        }
        product(count, size, columns, scores.data(), problem.stride, std::int64_t{1},
                problem.values.data(), size, result.data(), size, false);
        for (std::int64_t r = 0; r < count; ++r) {
          store_plain(result.data() + r * size, size,
                      out + ((problem.span.start + first + r) * shape.heads + head) * size);
        }
      }
    }
  });
}

template <class T, class W>
void attention_backward(const Layout& layout, const AttentionShape& shape, const T* qkv,
                        const W* cos, const W* sin, const T* out, const W* log_sums,
                        const T* grad_out, T* grad_qkv, const RunTasks& run) {
  const auto size = shape.head_size, half = size / 2;
  const auto tasks = static_cast<std::int64_t>(layout.spans.size()) * shape.kv_heads;
  // Gradients of keys and values of the shared rows, as each task found them.
  const auto prefix_part = static_cast<std::size_t>(layout.shared_rows * size * 2);
  std::vector<W> prefix_grads(static_cast<std::size_t>(tasks) * prefix_part, W(0));

  run(tasks, [&](std::int64_t task) {
    Problem<T, W> problem(layout, shape, task);
    problem.gather(qkv, cos, sin);
    problem.turn(problem.keys);
    const std::vector<W> keys_turned = problem.turned;
    problem.turn(problem.values);
    const std::vector<W>& values_turned = problem.turned;
    std::vector<W> grad_keys(problem.keys.size(), W(0)), grad_values(problem.keys.size(), W(0));
    const auto block = static_cast<std::size_t>(kBlock * size);
    std::vector<W> queries(block), grads(block), grad_queries(block);
    std::vector<W> probabilities(static_cast<std::size_t>(kBlock * problem.stride));
    std::vector<W> grad_scores(probabilities.size());
    for (std::int64_t g = 0; g < problem.group(); ++g) {
      const std::int64_t head = problem.kv_head * problem.group() + g;
      for (std::int64_t first = 0; first < problem.span.length; first += kBlock) {
        const auto count = std::min(kBlock, problem.span.length - first);
        const auto columns = problem.prefix + first + count;
        gather_queries(problem, qkv, cos, sin, head, first, count, queries.data());
        W means[kBlock];
        for (std::int64_t r = 0; r < count; ++r) {
          const auto at = ((problem.span.start + first + r) * shape.heads + head) * size;
          W* grad = grads.data() + r * size;
          load_plain(grad_out + at, size, grad);
          W mean = 0;
          for (std::int64_t d = 0; d < size; ++d)
            mean += grad[d] * static_cast<W>(load(out[at + d]));
          means[r] = mean;
        }
        product(count, columns, size, queries.data(), size, std::int64_t{1}, keys_turned.data(),
                problem.stride, probabilities.data(), problem.stride, false);
        product(count, columns, size, grads.data(), size, std::int64_t{1}, values_turned.data(),
                problem.stride, grad_scores.data(), problem.stride, false);
        for (std::int64_t r = 0; r < count; ++r) {
          W* p = probabilities.data() + r * problem.stride;
          W* s = grad_scores.data() + r * problem.stride;
          exponentiate(problem, first + r, columns,
                       log_sums[(problem.span.start + first + r) * shape.heads + head], p);
          const W scale = static_cast<W>(shape.scale), mean = means[r];
          for (std::int64_t j = 0; j < columns; ++j) s[j] = p[j] * (s[j] - mean) * scale;
        }
        product(count, size, columns, grad_scores.data(), problem.stride, std::int64_t{1},
                problem.keys.data(), size, grad_queries.data(), size, false);
        // Transposed: A's rows are columns of the scores.
        product(columns, size, count, grad_scores.data(), std::int64_t{1}, problem.stride,
                queries.data(), size, grad_keys.data(), size, true);
        product(columns, size, count, probabilities.data(), std::int64_t{1}, problem.stride,
                grads.data(), size, grad_values.data(), size, true);
        for (std::int64_t r = 0; r < count; ++r) {
          const std::int64_t row = problem.span.start + first + r;
          store_unrotated(grad_queries.data() + r * size, cos + row * half, sin + row * half, size,
                          grad_qkv + row * shape.columns() + head * size);
        }
      }
    }
    for (std::int64_t i = 0; i < problem.visible; ++i) {
      if (problem.row(i) < layout.shared_rows) {
        W* part = prefix_grads.data() + static_cast<std::size_t>(task) * prefix_part +
                  problem.row(i) * size * 2;
        std::copy_n(grad_keys.data() + i * size, size, part);
        std::copy_n(grad_values.data() + i * size, size, part + size);
        continue;
      }
      const std::int64_t row = problem.row(i);
      T* to = grad_qkv + row * shape.columns();
      store_unrotated(grad_keys.data() + i * size, cos + row * half, sin + row * half, size,
                      to + problem.key_column());
      store_plain(grad_values.data() + i * size, size, to + problem.value_column());
    }
  });

  if (layout.shared_rows == 0) return;
  run(shape.kv_heads, [&](std::int64_t kv_head) {
    std::vector<W> sum(prefix_part, W(0));
    for (std::int64_t task = kv_head; task < tasks; task += shape.kv_heads) {
      const W* part = prefix_grads.data() + static_cast<std::size_t>(task) * prefix_part;
      for (std::size_t i = 0; i < prefix_part; ++i) sum[i] += part[i];
    }
    const std::int64_t keys = (shape.heads + kv_head) * size, values = keys + shape.kv_heads * size;
    for (std::int64_t row = 0; row < layout.shared_rows; ++row) {
      const W* part = sum.data() + row * size * 2;
      T* to = grad_qkv + row * shape.columns();
      store_unrotated(part, cos + row * half, sin + row * half, size, to + keys);
      store_plain(part + size, size, to + values);
    }
  });
}

#define LLMPATCH_INSTANTIATE(T, W)                                                                 \
  template void attention_forward<T, W>(const Layout&, const AttentionShape&, const T*, const W*,  \
                                        const W*, T*, W*, const RunTasks&);                        \
  template void attention_backward<T, W>(const Layout&, const AttentionShape&, const T*, const W*, \
                                         const W*, const T*, const W*, const T*, T*,               \
                                         const RunTasks&);
LLMPATCH_INSTANTIATE(float, float)
LLMPATCH_INSTANTIATE(double, double)
LLMPATCH_INSTANTIATE(Bf16, float)
#undef LLMPATCH_INSTANTIATE

}  // namespace llmpatch
