#include "runtime/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "runtime/random.h"

namespace llmpatch {
namespace {

Sampling with(float temperature, float top_p = 1, int top_k = 0) {
  Sampling sampling;
  sampling.temperature = temperature;
  sampling.top_p = top_p;
  sampling.top_k = top_k;
  return sampling;
}

// The tokens that 1000 evenly spaced draws can give.
std::set<Token> reachable(Sampler& sampler, const std::vector<float>& logits,
                          const Sampling& sampling) {
  std::set<Token> tokens;
  for (int i = 0; i < 1000; ++i) tokens.insert(sampler.sample(logits, sampling, i / 1000.0));
  return tokens;
}

TEST(Sampler, GreedyTakesTheFirstOfTheLargest) {
  const Tokens none;
  Sampler sampler(none);
  EXPECT_EQ(sampler.greedy(std::vector<float>{-3, 2, 5, 5, 1}), 2);
  EXPECT_EQ(sampler.sample(std::vector<float>{-3, 2, 5, 5, 1}, with(0), 0.99), 2);
}

// Against a plain search, for vocabularies around the parts that are searched at a time.
TEST(Sampler, GreedyFindsTheLargestWhereverItIs) {
  const Tokens none;
  Sampler all(none);
  std::mt19937 random(3);
  for (const std::size_t n : {1u, 15u, 17u, 1023u, 1024u, 1025u, 3000u}) {
    for (int round = 0; round < 40; ++round) {
      std::vector<float> logits(n);
      for (float& logit : logits) logit = static_cast<float>(random() % (n / 2 + 1));  // with ties
      const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
      EXPECT_EQ(all.greedy(logits), best) << n;
      // Without the best one the next.
      if (n == 1) continue;
      const Tokens suppressed{static_cast<Token>(best)};
      Sampler others(suppressed);
      logits[static_cast<std::size_t>(best)] = -1;
      const auto next = std::max_element(logits.begin(), logits.end()) - logits.begin();
      logits[static_cast<std::size_t>(best)] = static_cast<float>(n);
      EXPECT_EQ(others.greedy(logits), next) << n;
    }
  }
  const float least = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(all.greedy(std::vector<float>(2000, least)), 0);
}

TEST(Sampler, NeverTakesSuppressedTokens) {
  const Tokens suppressed{0, 2};
  Sampler sampler(suppressed);
  const std::vector<float> logits{9, 1, 8, 0};
  EXPECT_EQ(sampler.greedy(logits), 1);
  EXPECT_EQ(reachable(sampler, logits, with(1)), (std::set<Token>{1, 3}));
  EXPECT_EQ(reachable(sampler, logits, with(1, 0.99f)), (std::set<Token>{1, 3}));
  EXPECT_EQ(reachable(sampler, logits, with(1, 1, 1)), (std::set<Token>{1}));
}

// Probabilities 0.5, 0.25, 0.125, 0.0625, 0.0625.
const std::vector<float> kHalves{std::log(8.0f), std::log(4.0f), std::log(2.0f), 0.0f, 0.0f};

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesTheShare) {
  const Tokens none;
  Sampler sampler(none);
  EXPECT_EQ(reachable(sampler, kHalves, with(1, 0.0f)), (std::set<Token>{0}));
  EXPECT_EQ(reachable(sampler, kHalves, with(1, 0.49f)), (std::set<Token>{0}));
  EXPECT_EQ(reachable(sampler, kHalves, with(1, 0.51f)), (std::set<Token>{0, 1}));
  EXPECT_EQ(reachable(sampler, kHalves, with(1, 0.8f)), (std::set<Token>{0, 1, 2}));
  EXPECT_EQ(reachable(sampler, kHalves, with(1, 1.0f)), (std::set<Token>{0, 1, 2, 3, 4}));
}

TEST(Sampler, TopKKeepsExactlyKEvenAmongEquals) {
  const Tokens none;
  Sampler sampler(none);
  EXPECT_EQ(reachable(sampler, kHalves, with(1, 1, 2)), (std::set<Token>{0, 1}));
  EXPECT_EQ(reachable(sampler, kHalves, with(1, 1, 4)), (std::set<Token>{0, 1, 2, 3}));
  EXPECT_EQ(reachable(sampler, kHalves, with(1, 1, 99)), (std::set<Token>{0, 1, 2, 3, 4}));
}

TEST(Sampler, TopPCountsItsShareAfterTopK) {
  const Tokens none;
  Sampler sampler(none);
  // Of the two kept, the first has 2/3 of what is left.
  EXPECT_EQ(reachable(sampler, kHalves, with(1, 0.66f, 2)), (std::set<Token>{0}));
  EXPECT_EQ(reachable(sampler, kHalves, with(1, 0.67f, 2)), (std::set<Token>{0, 1}));
}

TEST(Sampler, MinPKeepsThoseNearlyAsLikelyAsTheFirst) {
  const Tokens none;
  Sampler sampler(none);
  const auto reach = [&](const Sampling& sampling, float min_p) {
    std::set<Token> tokens;
    for (int i = 0; i < 1000; ++i) {
      tokens.insert(sampler.sample(kHalves, sampling, i / 1000.0, min_p));
    }
    return tokens;
  };
  EXPECT_EQ(reach(with(1), 1.0f), (std::set<Token>{0}));
  EXPECT_EQ(reach(with(1), 0.49f), (std::set<Token>{0, 1}));
  EXPECT_EQ(reach(with(1), 0.24f), (std::set<Token>{0, 1, 2}));
  EXPECT_EQ(reach(with(1), 0.01f), (std::set<Token>{0, 1, 2, 3, 4}));
  // Half the temperature squares the ratio.
  EXPECT_EQ(reach(with(0.5f), 0.24f), (std::set<Token>{0, 1}));
  EXPECT_EQ(reach(with(1, 0.8f), 0.3f), (std::set<Token>{0, 1}));
}

TEST(Sampler, DrawsFromTheSoftmaxAtItsTemperature) {
  const Tokens none;
  Sampler sampler(none);
  std::vector<float> logits;
  for (int i = 0; i < 40; ++i) logits.push_back(std::sin(static_cast<float>(i) * 1.7f) * 2);
  for (const float temperature : {0.5f, 1.0f, 1.5f}) {
    std::vector<double> expected;
    double total = 0;
    for (const float logit : logits) total += expected.emplace_back(std::exp(logit / temperature));
    constexpr int kDraws = 50000;
    std::vector<int> counts(logits.size());
    const AnswerRandom random(11, "draws", 0);
    for (int i = 0; i < kDraws; ++i) {
      const double u = random.uniform(static_cast<std::uint32_t>(i));
      ++counts[static_cast<std::size_t>(sampler.sample(logits, with(temperature), u))];
    }
    double chi_square = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const double mean = kDraws * expected[i] / total;
      chi_square += std::pow(counts[i] - mean, 2) / mean;
    }
    EXPECT_LT(chi_square, 72.1) << temperature;  // 39 degrees of freedom, p = 0.001
  }
}

TEST(LogProbability, IsTheLogarithmOfTheSoftmax) {
  std::vector<float> logits;
  for (int i = 0; i < 1000; ++i) logits.push_back(std::cos(static_cast<float>(i)) * 9);
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit));
  for (const Token token : {0, 3, 999}) {
    const double logit = logits[static_cast<std::size_t>(token)];
    EXPECT_NEAR(log_probability(logits, token), logit - std::log(total), 1e-5);
  }
  // Far beyond what exp() can hold.
  EXPECT_NEAR(log_probability(std::vector<float>{1000, 999}, 1), -1 - std::log1p(std::exp(-1.0)),
              1e-5);
  EXPECT_NEAR(log_probability(std::vector<float>{0, -300}, 1), -300, 1e-4);
}

}  // namespace
}  // namespace llmpatch
