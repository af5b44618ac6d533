#include "learn/linear.h"

#include <gtest/gtest.h>

#include <optional>
#include <tuple>

#include "learn/bf16_kernel.h"
#include "learn/parallel.h"

namespace llmpatch {
namespace {

using torch::Tensor;

constexpr double kSums = 2e-6;  // of |A| |B|: what sums in f32 may lose

// Rows, depth and outputs that fill tiles, panels and depth blocks and that do not.
class Product : public ::testing::TestWithParam<std::tuple<int, int, int>> {
 protected:
  void SetUp() override {
    torch::manual_seed(5);
    const auto [rows, depth, outputs] = GetParam();
    x_ = torch::randn({rows, depth}).to(torch::kBFloat16);
    weight_ = torch::randn({outputs, depth}).to(torch::kBFloat16);
    gradient_ = torch::randn({rows, outputs}).to(torch::kBFloat16);
  }
  static Tensor wide(const Tensor& tensor) { return tensor.to(torch::kDouble); }
  // The largest error of `found` against A B, in units of |A| |B|, which bounds what rounding can
  // do.
  static double error(const Tensor& found, const Tensor& a, const Tensor& b) {
    const Tensor bound = wide(a).abs().mm(wide(b).abs()) + 1e-30;
    return ((wide(found) - wide(a).mm(wide(b))).abs() / bound).max().item<double>();
  }
  Tensor x_, weight_, gradient_;
};

// Half a unit in the last of bf16's eight digits, and the sums.
constexpr double kRounding = 0x1p-8 + kSums;

TEST_P(Product, RoundsOnceToBf16AtMost) {
  EXPECT_LE(error(frozen_linear(x_, weight_), x_, weight_.t()), kRounding);
  EXPECT_LE(error(product_transposed(x_, weight_, torch::kFloat32), x_, weight_.t()), kRounding);
  EXPECT_LE(error(product_plain(gradient_, weight_, torch::kFloat32), gradient_, weight_),
            kRounding);
}

TEST_P(Product, PassesGradientsToTheOtherFactor) {
  Tensor x = x_.clone().requires_grad_(true);
  const Tensor y = frozen_linear(x, weight_);
  y.backward(gradient_);
  EXPECT_LE(error(x.grad(), gradient_, weight_), kRounding);
}

// The kernel itself, where the processor is one it is for, in both of its ways.
class Bf16Kernel : public Product {
 protected:
  static bool run(const Tensor& a, const Tensor& b, bool transposed, Tensor& c,
                  std::optional<Bf16Unit> unit) {
    return bf16_product<float>(a.size(0), c.size(1), a.size(1), data<Bf16>(a), data<Bf16>(b),
                               transposed, data<float>(c), 2, run_tasks, unit);
  }
};

TEST_P(Bf16Kernel, IsExactUpToItsSums) {
  const auto [rows, depth, outputs] = GetParam();
  for (const auto unit : {Bf16Unit::kPair, Bf16Unit::kFloat}) {
    const auto used = fastest_bf16_unit() ? std::optional(unit) : std::nullopt;
    Tensor y = torch::full({rows, outputs}, -1.0F), back = torch::full({rows, depth}, -1.0F);
    ASSERT_EQ(run(x_, weight_, true, y, used), used && depth % 2 == 0);
    ASSERT_EQ(run(gradient_, weight_, false, back, used), used && outputs % 2 == 0);
    if (used && depth % 2 == 0) {
      EXPECT_LE(error(y, x_, weight_.t()), kSums);
    }
    if (used && outputs % 2 == 0) {
      EXPECT_LE(error(back, gradient_, weight_), kSums);
    }
  }
}

const auto kShapes = ::testing::Values(
    std::tuple{1, 2, 1}, std::tuple{6, 64, 64}, std::tuple{7, 30, 65}, std::tuple{13, 576, 200},
    std::tuple{300, 66, 130}, std::tuple{5, 4100, 70}, std::tuple{4, 7, 9});
INSTANTIATE_TEST_SUITE_P(Shapes, Product, kShapes);
INSTANTIATE_TEST_SUITE_P(Shapes, Bf16Kernel, kShapes);

TEST(FrozenLinear, AddsItsBiasInEveryType) {
  for (const auto dtype : {torch::kDouble, torch::kFloat32, torch::kBFloat16}) {
    const Tensor x = torch::eye(4).to(dtype), weight = torch::ones({6, 4}).to(dtype);
    const Tensor bias = torch::arange(6).to(dtype);
    const Tensor y = frozen_linear(x, weight, bias);
    EXPECT_EQ(y.scalar_type(), dtype);
    EXPECT_TRUE(torch::equal(y, (torch::arange(6) + 1).to(dtype).expand({4, 6})));
  }
}

}  // namespace
}  // namespace llmpatch
