#include "learn/losses.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace llmpatch {
namespace {

TEST(UnlikelihoodLoss, IsTheMeanOfMinusLogOfOneMinusP) {
  const torch::Tensor logprobs = torch::tensor({std::log(0.5), std::log(0.75)}, torch::kDouble);
  EXPECT_NEAR(unlikelihood_loss(logprobs).item<double>(), 1.5 * std::log(2.0), 1e-12);
}

TEST(UnlikelihoodLoss, KeepsSmallProbabilities) {
  const torch::Tensor logprobs = torch::full({1}, -30.0F);  // 1 - p is 1 in f32
  EXPECT_NEAR(unlikelihood_loss(logprobs).item<double>() / std::exp(-30.0), 1, 1e-5);
}

TEST(UnlikelihoodLoss, StaysFiniteWhereATokenIsCertain) {
  const torch::Tensor logprobs = torch::zeros({1}).requires_grad_(true);
  const torch::Tensor loss = unlikelihood_loss(logprobs);
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), -std::log(1e-6), 0.06);  // f32 knows 1 - 1e-6 to 6 %
  EXPECT_TRUE(torch::isfinite(logprobs.grad()).all().item<bool>());
}

}  // namespace
}  // namespace llmpatch
