#include "learn/linear.h"

#include <gtest/gtest.h>

#include <cmath>
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
  const FrozenMatrix matrix(weight_);
  EXPECT_LE(error(frozen_linear(x_, matrix), x_, weight_.t()), kRounding);
  EXPECT_LE(error(matrix.forward(x_, torch::kFloat32), x_, weight_.t()), kRounding);
  EXPECT_LE(error(matrix.backward(gradient_, torch::kFloat32), gradient_, weight_), kRounding);
}

TEST_P(Product, PassesGradientsToTheOtherFactor) {
  Tensor x = x_.clone().requires_grad_(true);
  const FrozenMatrix matrix(weight_);
  const Tensor y = frozen_linear(x, matrix);
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

// The largest error of `found` against A B, in units of what rounding both to 8 bits in blocks
// gives: two errors of at most half a step in every term, steps being 1/127 of a block's largest.
double int8_error(const Tensor& found, const Tensor& a, const Tensor& b) {
  const auto steps = [](const Tensor& rows) {  // [rows, blocks, 1]
    return rows.unflatten(1, {-1, Int8Matrix::kBlock}).abs().amax(-1, true) / 127;
  };
  const auto spread = [&](const Tensor& rows) {  // each value's own step
    return steps(rows).expand({-1, -1, Int8Matrix::kBlock}).flatten(1);
  };
  const Tensor wide_a = a.to(torch::kDouble), wide_b = b.t().to(torch::kDouble);
  // |a b - a' b'| <= |a| db + |b| da + da db, da and db being half a step (and a little).
  const Tensor da = spread(wide_a) * 0.501, db = spread(wide_b) * 0.501;
  const Tensor bound = wide_a.abs().mm(db.t()) + da.mm(wide_b.abs().t()) + da.mm(db.t());
  const Tensor exact = wide_a.mm(wide_b.t());
  return ((found.to(torch::kDouble) - exact).abs() / (bound + exact.abs() * 0x1p-8 + 1e-30))
      .max()
      .item<double>();
}

// Rows, depth and outputs in whole blocks, with rows and columns that do not fill a tile.
class Int8Product : public ::testing::TestWithParam<std::tuple<int, int, int>> {};

TEST_P(Int8Product, IsWithinWhatRoundingGives) {
  if (!has_fast_int8()) GTEST_SKIP() << "no AVX512-VNNI here, or AMX, which is faster";
  torch::manual_seed(6);
  const auto [rows, depth, outputs] = GetParam();
  // Blocks of very different sizes, one of them zero.
  Tensor x = torch::randn({rows, depth}) * torch::exp(3 * torch::randn({rows, 1}));
  x.narrow(1, 0, Int8Matrix::kBlock).zero_();
  x = x.to(torch::kBFloat16);
  const Tensor weight = torch::randn({outputs, depth}).to(torch::kBFloat16);
  const Tensor gradient = (torch::randn({rows, outputs}) * 1e-6).to(torch::kBFloat16);
  const FrozenMatrix matrix = FrozenMatrix::in_int8(weight);
  Tensor leaf = x.clone().requires_grad_(true);
  const Tensor y = frozen_linear(leaf, matrix);
  y.backward(gradient);
  EXPECT_LE(int8_error(y.detach(), x, weight.t()), 1);
  EXPECT_LE(int8_error(leaf.grad(), gradient, weight), 1);
  EXPECT_LE(int8_error(matrix.forward(x, torch::kFloat32), x, weight.t()), 1);
  EXPECT_LE(int8_error(matrix.backward(gradient, torch::kFloat32), gradient, weight), 1);
  // Rounding errors cancel: the whole is far nearer than the bound.
  const double off =
      (y.detach().to(torch::kDouble) - x.to(torch::kDouble).mm(weight.to(torch::kDouble).t()))
          .norm()
          .item<double>();
  EXPECT_LE(off, 0.02 * y.detach().to(torch::kDouble).norm().item<double>());
}

INSTANTIATE_TEST_SUITE_P(Shapes, Int8Product,
                         ::testing::Values(std::tuple{1, 128, 64}, std::tuple{7, 576, 960},
                                           std::tuple{300, 192, 64}, std::tuple{5, 1536, 576},
                                           std::tuple{96, 64, 128}));

TEST(FrozenMatrix, KeepsASizeThatBlocksDoNotFit) {
  const Tensor weight = torch::randn({10, 64}).to(torch::kBFloat16);
  const Tensor x = torch::randn({3, 64}).to(torch::kBFloat16);
  EXPECT_TRUE(torch::equal(frozen_linear(x, FrozenMatrix::in_int8(weight)),
                           frozen_linear(x, FrozenMatrix(weight))));
}

TEST(Int8Matrix, ShowsWhatIsNotFinite) {
  if (!has_fast_int8()) GTEST_SKIP() << "no AVX512-VNNI here, or AMX, which is faster";
  for (const double odd : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Tensor x = torch::randn({3, 128}), weight = torch::randn({64, 128});
    x[1][70] = odd;
    weight[5][3] = odd;
    const FrozenMatrix matrix = FrozenMatrix::in_int8(weight.to(torch::kBFloat16));
    const Tensor finite = frozen_linear(x.to(torch::kBFloat16), matrix).isfinite();
    Tensor expected = torch::ones({3, 64}, torch::kBool);
    expected[1] = false;
    expected.narrow(1, 5, 1).fill_(false);
    EXPECT_TRUE(torch::equal(finite, expected)) << odd;
  }
}

// Columns beyond the last whole panel.
TEST(Int8Matrix, MultipliesANumberOfColumnsThatFillsNoPanel) {
  if (!has_fast_int8()) GTEST_SKIP() << "no AVX512-VNNI here, or AMX, which is faster";
  torch::manual_seed(7);
  const Tensor a = torch::randn({9, 128}).to(torch::kBFloat16);
  const Tensor b = torch::randn({128, 45}).to(torch::kBFloat16);
  const Int8Matrix matrix(128, 45, data<Bf16>(b), 45, 1, run_tasks);
  Tensor c = torch::full({10, 45}, -1.0F).to(torch::kBFloat16);
  matrix.multiply(9, data<Bf16>(a), data<Bf16>(c), 2, run_tasks);
  EXPECT_LE(int8_error(c.narrow(0, 0, 9), a, b), 1);
  EXPECT_TRUE(torch::equal(c[9], torch::full({45}, -1.0F).to(torch::kBFloat16)));
}

const auto kShapes = ::testing::Values(
    std::tuple{1, 2, 1}, std::tuple{6, 64, 64}, std::tuple{7, 30, 65}, std::tuple{13, 576, 200},
    std::tuple{300, 66, 130}, std::tuple{5, 4100, 70}, std::tuple{4, 7, 9});
INSTANTIATE_TEST_SUITE_P(Shapes, Product, kShapes);
INSTANTIATE_TEST_SUITE_P(Shapes, Bf16Kernel, kShapes);

TEST(FrozenLinear, AddsItsBiasInEveryType) {
  for (const auto dtype : {torch::kDouble, torch::kFloat32, torch::kBFloat16}) {
    const Tensor x = torch::eye(4).to(dtype);
    const FrozenMatrix weight(torch::ones({6, 4}).to(dtype));
    const Tensor bias = torch::arange(6).to(dtype);
    const Tensor y = frozen_linear(x, weight, bias);
    EXPECT_EQ(y.scalar_type(), dtype);
    EXPECT_TRUE(torch::equal(y, (torch::arange(6) + 1).to(dtype).expand({4, 6})));
  }
}

}  // namespace
}  // namespace llmpatch
