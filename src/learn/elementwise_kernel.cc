#include "learn/elementwise_kernel.h"

#include <algorithm>
#include <cmath>

#include "learn/scalar.h"

namespace llmpatch {

template <class T, class W>
void add_norm_forward(std::int64_t rows, std::int64_t width, const W* x, const T* y,
                      const W* weight, W epsilon, W* sum, T* out, W* inverse) {
  for (std::int64_t row = 0; row < rows; ++row, x += width, out += width) {
    const W* total = x;
    W squares = 0;
    if (y != nullptr) {
      for (std::int64_t i = 0; i < width; ++i) {
        const W value = x[i] + load(y[i]);
        sum[i] = value;
        squares += value * value;
      }
      total = sum;
      y += width;
      sum += width;
    } else {
      for (std::int64_t i = 0; i < width; ++i) squares += x[i] * x[i];
    }
    const W r = 1 / std::sqrt(squares / static_cast<W>(width) + epsilon);
    inverse[row] = r;
    for (std::int64_t i = 0; i < width; ++i) store(out[i], total[i] * r * weight[i]);
  }
}

// d/dx of x r w with r = 1/sqrt(mean(x^2) + epsilon): r (g w - x r^2 mean(g w x)).
template <class T, class W>
void add_norm_backward(std::int64_t rows, std::int64_t width, const W* sum, const W* weight,
                       const W* inverse, const T* grad_out, const W* grad_through, W* grad_sum,
                       T* grad_y) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t at = row * width;
    const W* x = sum + at;
    const T* g = grad_out + at;
    W dot = 0;
    for (std::int64_t i = 0; i < width; ++i) dot += load(g[i]) * weight[i] * x[i];
    const W r = inverse[row];
    const W mean = dot / static_cast<W>(width) * r * r;
    W* to = grad_sum + at;
    if (grad_through != nullptr) {
      const W* through = grad_through + at;
      for (std::int64_t i = 0; i < width; ++i) {
        to[i] = through[i] + r * (load(g[i]) * weight[i] - x[i] * mean);
      }
    } else {
      for (std::int64_t i = 0; i < width; ++i) to[i] = r * (load(g[i]) * weight[i] - x[i] * mean);
    }
    if (grad_y != nullptr) {
      for (std::int64_t i = 0; i < width; ++i) store(grad_y[at + i], to[i]);
    }
  }
}

template <class T, class W>
void swiglu_forward(std::int64_t rows, std::int64_t width, const T* gate_up, T* out) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const T* __restrict gates = gate_up + row * 2 * width;
    const T* __restrict ups = gates + width;
    T* __restrict to = out + row * width;
    for (std::int64_t i = 0; i < width; ++i) {
      const W gate = load(gates[i]);
      store(to[i], gate / (1 + std::exp(-gate)) * static_cast<W>(load(ups[i])));
    }
  }
}

template <class T, class W>
void swiglu_backward(std::int64_t rows, std::int64_t width, const T* gate_up, const T* grad_out,
                     T* grad_gate_up) {
  // In pieces on the stack: compilers turn these short loops into vectors, the exponential
  // included, and give up on one loop over five arrays.
  constexpr std::int64_t kPiece = 64;
  W gate[kPiece], up[kPiece], grad[kPiece], grad_gate[kPiece], grad_up[kPiece];
  for (std::int64_t row = 0; row < rows; ++row) {
    const T* gates = gate_up + row * 2 * width;
    const T* grads = grad_out + row * width;
    T* grad_gates = grad_gate_up + row * 2 * width;
    for (std::int64_t start = 0; start < width; start += kPiece) {
      const std::int64_t count = std::min(kPiece, width - start);
      for (std::int64_t i = 0; i < count; ++i) gate[i] = load(gates[start + i]);
      for (std::int64_t i = 0; i < count; ++i) up[i] = load(gates[width + start + i]);
      for (std::int64_t i = 0; i < count; ++i) grad[i] = load(grads[start + i]);
      for (std::int64_t i = 0; i < count; ++i) {
        const W sigmoid = 1 / (1 + std::exp(-gate[i]));
        const W silu = gate[i] * sigmoid;
        // silu' = s + silu (1 - s)
        grad_gate[i] = grad[i] * up[i] * (sigmoid + silu * (1 - sigmoid));
        grad_up[i] = grad[i] * silu;
      }
      for (std::int64_t i = 0; i < count; ++i) store(grad_gates[start + i], grad_gate[i]);
      for (std::int64_t i = 0; i < count; ++i) store(grad_gates[width + start + i], grad_up[i]);
    }
  }
}

#define LLMPATCH_INSTANTIATE(T, W)                                                                \
  template void add_norm_forward<T, W>(std::int64_t, std::int64_t, const W*, const T*, const W*,  \
                                       W, W*, T*, W*);                                            \
  template void add_norm_backward<T, W>(std::int64_t, std::int64_t, const W*, const W*, const W*, \
                                        const T*, const W*, W*, T*);                              \
  template void swiglu_forward<T, W>(std::int64_t, std::int64_t, const T*, T*);                   \
  template void swiglu_backward<T, W>(std::int64_t, std::int64_t, const T*, const T*, T*);
LLMPATCH_INSTANTIATE(float, float)
LLMPATCH_INSTANTIATE(double, double)
LLMPATCH_INSTANTIATE(Bf16, float)
#undef LLMPATCH_INSTANTIATE

}  // namespace llmpatch
