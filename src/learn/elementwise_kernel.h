// The transformer's elementwise steps on plain arrays, one pass over memory each. ops.h wraps them
// for LibTorch. T is float, double or Bf16; W the type T is computed in. Matrices are dense and
// row-major; every function works on `rows` rows from the pointers given.
#pragma once

#include <cstdint>

namespace llmpatch {

// sum = x + y; out = sum / sqrt(mean(sum^2) + epsilon) * weight. x, sum [rows, width] W; y, out
// [rows, width] T; inverse [rows]: 1 / sqrt(...). Without y (null) sum is x and is not written.
template <class T, class W>
void add_norm_forward(std::int64_t rows, std::int64_t width, const W* x, const T* y,
                      const W* weight, W epsilon, W* sum, T* out, W* inverse);

// grad_sum = grad_through + the norm's gradient of grad_out at sum; also stored as T in grad_y
// (unless null). grad_through may be null (nothing else uses the sum).
template <class T, class W>
void add_norm_backward(std::int64_t rows, std::int64_t width, const W* sum, const W* weight,
                       const W* inverse, const T* grad_out, const W* grad_through, W* grad_sum,
                       T* grad_y);

// out [rows, width] = silu(gate) * up, with gate_up [rows, 2 * width] holding gate and up side by
// side.
template <class T, class W>
void swiglu_forward(std::int64_t rows, std::int64_t width, const T* gate_up, T* out);
template <class T, class W>
void swiglu_backward(std::int64_t rows, std::int64_t width, const T* gate_up, const T* grad_out,
                     T* grad_gate_up);

}  // namespace llmpatch
