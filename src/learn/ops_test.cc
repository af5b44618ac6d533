#include "learn/ops.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "learn/parallel.h"

namespace llmpatch {
namespace {

torch::Tensor plain_norm(const torch::Tensor& x, const torch::Tensor& weight) {
  return x / torch::sqrt(x.square().mean(-1, true) + 1e-5) * weight;
}

TEST(AddNorm, AgreesWithStockOperators) {
  torch::manual_seed(2);
  const auto random = [](std::int64_t rows, std::int64_t columns) {
    return torch::randn({rows, columns}, torch::kDouble);
  };
  const torch::Tensor weight = random(1, 48).squeeze(0), a = random(37, 48), b = random(37, 48);
  torch::Tensor x = random(37, 48).requires_grad_(true), y = random(37, 48).requires_grad_(true);
  const auto [sum, normed] = add_norm(x, y, weight, 1e-5);
  ((sum * a).sum() + (normed * b).sum()).backward();
  torch::Tensor x2 = x.detach().clone().requires_grad_(true),
                y2 = y.detach().clone().requires_grad_(true);
  ((x2 + y2) * a + plain_norm(x2 + y2, weight) * b).sum().backward();
  EXPECT_LE((normed - plain_norm(x2 + y2, weight)).abs().max().item<double>(), 1e-12);
  EXPECT_LE((x.grad() - x2.grad()).abs().max().item<double>(), 1e-11);
  EXPECT_LE((y.grad() - y2.grad()).abs().max().item<double>(), 1e-11);
}

// Compiled without OpenMP, at::parallel_for runs everything on the calling thread.
TEST(Parallel, UsesEveryThread) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  std::array<std::thread::id, 2> ids;
  parallel(2, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      ids[static_cast<std::size_t>(i)] = std::this_thread::get_id();
  });
  at::set_num_threads(before);
  EXPECT_NE(ids[0], ids[1]);
}

TEST(RmsNorm, AgreesWithStockOperators) {
  torch::manual_seed(3);
  const torch::Tensor weight = torch::randn({48}, torch::kDouble),
                      b = torch::randn({5, 48}, torch::kDouble);
  torch::Tensor x = torch::randn({5, 48}, torch::kDouble).requires_grad_(true);
  (rms_norm(x, weight, 1e-5, torch::kDouble) * b).sum().backward();
  torch::Tensor same = x.detach().clone().requires_grad_(true);
  (plain_norm(same, weight) * b).sum().backward();
  EXPECT_LE((x.grad() - same.grad()).abs().max().item<double>(), 1e-11);
}

TEST(SwiGlu, AgreesWithStockOperators) {
  torch::manual_seed(4);
  torch::Tensor x = (torch::randn({33, 70}, torch::kDouble) * 3).requires_grad_(true);
  const torch::Tensor b = torch::randn({33, 35}, torch::kDouble);
  const torch::Tensor out = swiglu(x);
  (out * b).sum().backward();
  torch::Tensor same = x.detach().clone().requires_grad_(true);
  const auto parts = same.chunk(2, -1);
  const torch::Tensor expected = torch::silu(parts[0]) * parts[1];
  (expected * b).sum().backward();
  EXPECT_LE((out - expected).abs().max().item<double>(), 1e-12);
  EXPECT_LE((x.grad() - same.grad()).abs().max().item<double>(), 1e-11);
}

}  // namespace
}  // namespace llmpatch
