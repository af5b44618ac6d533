#include "eval/divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace llmpatch {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(LogSumExp, ClosedForms) {
  EXPECT_NEAR(log_sum_exp(std::vector<float>{0, 0, 0, 0}), std::log(4), 1e-7);
  EXPECT_NEAR(log_sum_exp(std::vector<float>{1000, 1000}), 1000 + std::log(2), 1e-7);
  EXPECT_NEAR(log_sum_exp(std::vector<float>{-kInfinity, 3}), 3, 1e-7);
  EXPECT_EQ(log_sum_exp({}), -std::numeric_limits<double>::infinity());
}

TEST(KlDivergence, ByHand) {
  // p = (1/2, 1/2), q = (1/4, 3/4): (1/2) ln 2 + (1/2) ln (2/3) = (1/2) ln (4/3).
  const std::vector<float> p{0, 0};
  const std::vector<float> q{std::log(1.0F), std::log(3.0F)};
  EXPECT_NEAR(kl_divergence(p, q), .5 * std::log(4.0 / 3), 1e-6);
  // The other way round: (1/4) ln (1/2) + (3/4) ln (3/2).
  EXPECT_NEAR(kl_divergence(q, p), .25 * std::log(.5) + .75 * std::log(1.5), 1e-6);
}

TEST(KlDivergence, AddingAConstantChangesNothing) {
  const std::vector<float> p{1, 2, 3}, shifted{101, 102, 103};
  EXPECT_NEAR(kl_divergence(p, shifted), 0, 1e-6);
  EXPECT_EQ(kl_divergence(p, p), 0);
}

TEST(KlDivergence, SuppressedLogits) {
  const std::vector<float> p{0, -kInfinity}, q{0, 0};
  EXPECT_NEAR(kl_divergence(p, q), std::log(2), 1e-6);
  EXPECT_EQ(kl_divergence(q, p), std::numeric_limits<double>::infinity());
}

TEST(KlDivergence, ManyTokensAgreeWithDoubles) {
  // Softmax over 50,000 logits in a fixed pattern, against the same sums in double.
  constexpr std::size_t kTokens = 50000;
  std::vector<float> p(kTokens), q(kTokens);
  double p_norm = 0, q_norm = 0;
  for (std::size_t i = 0; i < kTokens; ++i) {
    p[i] = static_cast<float>(i % 97) / 8.0F;
    q[i] = static_cast<float>(i % 89) / 8.0F;
    p_norm += std::exp(static_cast<double>(p[i]));
    q_norm += std::exp(static_cast<double>(q[i]));
  }
  double expected = 0;
  for (std::size_t i = 0; i < kTokens; ++i) {
    const double log_p = p[i] - std::log(p_norm), log_q = q[i] - std::log(q_norm);
    expected += std::exp(log_p) * (log_p - log_q);
  }
  EXPECT_NEAR(kl_divergence(p, q), expected, 1e-5 * expected);
}

}  // namespace
}  // namespace llmpatch
