// The kernels' loops on LibTorch's threads, and tensors as the arrays they take.
#pragma once

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>

#include "learn/dtype.h"
#include "learn/scalar.h"

namespace llmpatch {

// Calls f(begin, end) for parts of [0, count) on several threads; `grain` is the smallest part.
template <class F>
void parallel(std::int64_t count, std::int64_t grain, F f) {
  at::parallel_for(0, count, grain, f);
}

// Calls task(i) for every i below `count`, on several threads: each takes the next task when it has
// done one, since sequences, and so their tasks, differ in length.
inline void run_tasks(std::int64_t count, const std::function<void(std::int64_t)>& task) {
  std::atomic<std::int64_t> next{0};
  parallel(std::min<std::int64_t>(count, at::get_num_threads()), 1, [&](auto, auto) {
    for (std::int64_t i = next++; i < count; i = next++) task(i);
  });
}

template <class T>
const T* data(const torch::Tensor& tensor) {
  return static_cast<const T*>(tensor.data_ptr());
}
template <class T>
T* data(torch::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

// Calls f with a value of the kernel's scalar type for `dtype`: f(float{}), f(double{}) or
// f(Bf16{}). Other types throw (LibTorch's c10::Error).
template <class F>
void with_scalar(torch::Dtype dtype, F f) {
  switch (dtype) {
    case torch::kFloat32:
      return f(float{});
    case torch::kDouble:
      return f(double{});
    case torch::kBFloat16:
      return f(Bf16{});
    default:
      TORCH_CHECK(false, "kernels compute in f32, f64 and bf16");
  }
}

}  // namespace llmpatch
