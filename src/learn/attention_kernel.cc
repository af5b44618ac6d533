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

// Keys or values of one key-value head as W, and the same transposed.
template <class W>
struct HeadRows {
  std::int64_t size, count, stride;  // of a row; rows; count, rounded up to whole vectors
  std::vector<W> rows;               // [count, size]
  std::vector<W> turned;             // [size, stride]

  HeadRows(std::int64_t row_size, std::int64_t row_count)
      : size(row_size),
        count(row_count),
        stride(round_up(row_count, kLanes<W>)),
        rows(static_cast<std::size_t>(count * size)),
        turned(static_cast<std::size_t>(size * stride)) {}

  W* row(std::int64_t i) { return rows.data() + i * size; }

  // Copies the first `same` rows from others of the same head.
  void begin_as(const HeadRows& others, std::int64_t same) {
    std::copy_n(others.rows.data(), same * size, rows.data());
  }
  // Fills `turned`; what the first `same` rows give is copied from `others`.
  void turn(const HeadRows& others, std::int64_t same) {
    for (std::int64_t d = 0; d < size; ++d) {
      std::copy_n(others.turned.data() + d * others.stride, same, turned.data() + d * stride);
    }
    for (std::int64_t i = same; i < count; ++i) {
      for (std::int64_t d = 0; d < size; ++d) {
        turned[static_cast<std::size_t>(d * stride + i)] =
            rows[static_cast<std::size_t>(i * size + d)];
      }
    }
  }
};

// Keys and values that the rows of one sequence see, of one head.
template <class W>
struct KeysAndValues {
  HeadRows<W> keys, values;
};

// Reads rows `first` and further of the batch to rows `at` and further.
template <class T, class W>
void gather_rows(const AttentionShape& shape, const T* qkv, const W* cos, const W* sin,
                 std::int64_t kv_head, std::int64_t first, std::int64_t at, KeysAndValues<W>& to) {
  const auto size = shape.head_size, half = size / 2;
  for (std::int64_t i = at; i < to.keys.count; ++i) {
    const std::int64_t row = first + i - at;
    const T* key = qkv + row * shape.columns() + (shape.heads + kv_head) * size;
    load_rotated(key, cos + row * half, sin + row * half, size, to.keys.row(i));
    load_plain(key + shape.kv_heads * size, size, to.values.row(i));
  }
}

// The rows that sequences share, of every key-value head: read once for all of them.
template <class T, class W>
std::vector<KeysAndValues<W>> gather_shared(const Layout& layout, const AttentionShape& shape,
                                            const T* qkv, const W* cos, const W* sin,
                                            const RunTasks& run) {
  const HeadRows<W> none(shape.head_size, layout.shared_rows);
  std::vector<KeysAndValues<W>> shared(static_cast<std::size_t>(shape.kv_heads), {none, none});
  run(shape.kv_heads, [&](std::int64_t kv_head) {
    KeysAndValues<W>& head = shared[static_cast<std::size_t>(kv_head)];
    gather_rows(shape, qkv, cos, sin, kv_head, 0, 0, head);
    head.keys.turn(none, 0);
    head.values.turn(none, 0);
  });
  return shared;
}

// One sequence and one key-value head: the keys and values its rows can see.
template <class T, class W>
struct Problem {
  const AttentionShape& shape;
  const Layout::Span& span;
  std::int64_t kv_head;
  std::int64_t prefix;   // rows before the sequence that are visible
  std::int64_t visible;  // prefix + span.length
  KeysAndValues<W> seen;

  Problem(const Layout& layout, const AttentionShape& sizes, std::int64_t task,
          const std::vector<KeysAndValues<W>>& all_shared, const T* qkv, const W* cos,
          const W* sin)
      : shape(sizes),
        span(layout.spans[static_cast<std::size_t>(task / sizes.kv_heads)]),
        kv_head(task % sizes.kv_heads),
        prefix(span.before),
        visible(prefix + span.length),
        seen{{sizes.head_size, visible}, {sizes.head_size, visible}},
        shared_(all_shared[static_cast<std::size_t>(kv_head)]) {
    seen.keys.begin_as(shared_.keys, prefix);
    seen.values.begin_as(shared_.values, prefix);
    gather_rows(shape, qkv, cos, sin, kv_head, span.start, prefix, seen);
  }

  void turn_keys() { seen.keys.turn(shared_.keys, prefix); }
  void turn_values() { seen.values.turn(shared_.values, prefix); }

  std::int64_t group() const { return shape.heads / shape.kv_heads; }
  std::int64_t stride() const { return seen.keys.stride; }
  // The batch row of visible row i.
  std::int64_t row(std::int64_t i) const { return i < prefix ? i : span.start + i - prefix; }
  std::int64_t key_column() const { return (shape.heads + kv_head) * shape.head_size; }
  std::int64_t value_column() const { return key_column() + shape.kv_heads * shape.head_size; }

 private:
  const KeysAndValues<W>& shared_;
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
  const auto shared = gather_shared(layout, shape, qkv, cos, sin, run);
  run(static_cast<std::int64_t>(layout.spans.size()) * shape.kv_heads, [&](std::int64_t task) {
    Problem<T, W> problem(layout, shape, task, shared, qkv, cos, sin);
    problem.turn_keys();
    const std::int64_t stride = problem.stride();
    const auto block = static_cast<std::size_t>(kBlock);
    std::vector<W> queries(block * static_cast<std::size_t>(size)), result(queries.size());
    std::vector<W> scores(block * static_cast<std::size_t>(stride));
    for (std::int64_t g = 0; g < problem.group(); ++g) {
      const std::int64_t head = problem.kv_head * problem.group() + g;
      for (std::int64_t first = 0; first < problem.span.length; first += kBlock) {
        const auto count = std::min(kBlock, problem.span.length - first);
        const auto columns = problem.prefix + first + count;  // nothing beyond is visible
        gather_queries(problem, qkv, cos, sin, head, first, count, queries.data());
        product(count, columns, size, queries.data(), size, std::int64_t{1},
                problem.seen.keys.turned.data(), stride, scores.data(), stride, false);
        for (std::int64_t r = 0; r < count; ++r) {
          W* row = scores.data() + r * stride;
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
        product(count, size, columns, scores.data(), stride, std::int64_t{1},
                problem.seen.values.rows.data(), size, result.data(), size, false);
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

  const auto shared = gather_shared(layout, shape, qkv, cos, sin, run);
  run(tasks, [&](std::int64_t task) {
    Problem<T, W> problem(layout, shape, task, shared, qkv, cos, sin);
    problem.turn_keys();
    problem.turn_values();
    const std::int64_t stride = problem.stride();
    std::vector<W> grad_keys(problem.seen.keys.rows.size(), W(0));
    std::vector<W> grad_values(grad_keys.size(), W(0));
    const auto block = static_cast<std::size_t>(kBlock * size);
    std::vector<W> queries(block), grads(block), grad_queries(block);
    std::vector<W> probabilities(static_cast<std::size_t>(kBlock * stride));
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
        product(count, columns, size, queries.data(), size, std::int64_t{1},
                problem.seen.keys.turned.data(), stride, probabilities.data(), stride, false);
        product(count, columns, size, grads.data(), size, std::int64_t{1},
                problem.seen.values.turned.data(), stride, grad_scores.data(), stride, false);
        for (std::int64_t r = 0; r < count; ++r) {
          W* p = probabilities.data() + r * stride;
          W* s = grad_scores.data() + r * stride;
          exponentiate(problem, first + r, columns,
                       log_sums[(problem.span.start + first + r) * shape.heads + head], p);
          const W scale = static_cast<W>(shape.scale), mean = means[r];
          for (std::int64_t j = 0; j < columns; ++j) s[j] = p[j] * (s[j] - mean) * scale;
        }
        product(count, size, columns, grad_scores.data(), stride, std::int64_t{1},
                problem.seen.keys.rows.data(), size, grad_queries.data(), size, false);
        // Transposed: A's rows are columns of the scores.
        product(columns, size, count, grad_scores.data(), std::int64_t{1}, stride,
                queries.data(), size, grad_keys.data(), size, true);
        product(columns, size, count, probabilities.data(), std::int64_t{1}, stride,
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
