#include "learn/losses.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace llmpatch {
namespace {

TEST(UnlikelihoodLoss, IsTheMeanOfMinusLogOfOneMinusP) {
  const torch::Tensor probabilities = torch::tensor({0.5, 0.75}, torch::kDouble);
  const auto loss = [&](double first, double second) {
    return unlikelihood_loss(probabilities, torch::tensor({first, second}, torch::kDouble))
        .item<double>();
  };
  EXPECT_NEAR(loss(1, 1), 1.5 * std::log(2.0), 1e-12);
  EXPECT_NEAR(loss(4, 0), 2 * std::log(2.0), 1e-12);  // the weights are no shares
}

TEST(SftLoss, IsTheMeanOfWeightedCrossEntropy) {
  const torch::Tensor logprobs = torch::tensor({-1.0, -3.0}, torch::kDouble);
  const torch::Tensor weights = torch::tensor({1.0, 0.5}, torch::kDouble);
  EXPECT_NEAR(sft_loss(logprobs, torch::ones_like(weights)).item<double>(), 2, 1e-12);
  EXPECT_NEAR(sft_loss(logprobs, weights).item<double>(), 1.25, 1e-12);
}

TEST(UnlikelihoodLoss, KeepsSmallProbabilities) {
  const torch::Tensor probability = torch::full({1}, std::exp(-30.0F));  // 1 - p is 1 in f32
  EXPECT_NEAR(unlikelihood_loss(probability, torch::ones({1})).item<double>() / std::exp(-30.0), 1,
              1e-5);
}

TEST(UnlikelihoodLoss, StaysFiniteWhereATokenIsCertain) {
  const torch::Tensor logprobs = torch::zeros({1}).requires_grad_(true);
  const torch::Tensor loss = unlikelihood_loss(logprobs.exp(), torch::ones({1}));
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), -std::log(1e-6), 0.06);  // f32 knows 1 - 1e-6 to 6 %
  EXPECT_TRUE(torch::isfinite(logprobs.grad()).all().item<bool>());
}

}  // namespace
}  // namespace llmpatch
