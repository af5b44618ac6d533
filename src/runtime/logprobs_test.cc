#include "runtime/logprobs.h"

#include <gtest/gtest.h>

#include <cmath>

namespace llmpatch {
namespace {

TEST(TokenLogprob, ComesWithTheMostLikelyInOrder) {
  // Probabilities 1/8, 1/2, 1/8, 1/4.
  const std::vector<float> logits{0, std::log(4.0f), 0, std::log(2.0f)};
  const TokenLogprob made = token_logprob(logits, 2, 3);
  EXPECT_EQ(made.token, 2);
  EXPECT_NEAR(made.logprob, std::log(0.125), 1e-6);
  ASSERT_EQ(made.top.size(), 3u);
  const std::vector<std::pair<Token, double>> expected{{1, 0.5}, {3, 0.25}, {0, 0.125}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(made.top[i].first, expected[i].first);
    EXPECT_NEAR(made.top[i].second, std::log(expected[i].second), 1e-6);
  }
}

TEST(TokenLogprob, HasNoAlternativesUnlessAskedFor) {
  EXPECT_TRUE(token_logprob(std::vector<float>{1, 2}, 0, 0).top.empty());
  EXPECT_EQ(token_logprob(std::vector<float>{1, 2}, 0, 20).top.size(), 2u);
}

TEST(TokenLogprob, SumsToOneOverAllTokens) {
  std::vector<float> logits;
  for (int i = 0; i < 20; ++i) logits.push_back(std::sin(static_cast<float>(i)) * 5);
  double total = 0;
  for (const auto& [id, logprob] : token_logprob(logits, 0, 20).top) total += std::exp(logprob);
  EXPECT_NEAR(total, 1, 1e-5);
}

}  // namespace
}  // namespace llmpatch
