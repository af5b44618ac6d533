#include "learn/torch_info.h"

#include <torch/types.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>

namespace llmpatch {

std::string torch_library_version() { return TORCH_VERSION; }

double torch_sgemm_gflops() {
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  try {
    const torch::NoGradGuard no_grad;
    constexpr std::int64_t kSize = 512;
    const torch::Tensor a = torch::rand({kSize, kSize}), b = torch::rand({kSize, kSize});
    double best = 0;
    const auto start = Clock::now();
    do {
      const auto begin = Clock::now();
      const torch::Tensor c = torch::matmul(a, b);
      best = std::max(best, 2.0 * kSize * kSize * kSize / seconds_since(begin) / 1e9);
    } while (seconds_since(start) < 0.25);
    return best;
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace llmpatch
