#include "runtime/random.h"

#include <gtest/gtest.h>

#include <cmath>

namespace llmpatch {
namespace {

// Known answers published with the algorithm (Random123, kat_vectors).
TEST(Philox, GivesThePublishedAnswers) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(AnswerRandom, DependsOnAllOfItsKeyAndOnNothingElse) {
  const double base = AnswerRandom(1, "a", 0).uniform(0);
  EXPECT_EQ(AnswerRandom(1, "a", 0).uniform(0), base);
  EXPECT_NE(AnswerRandom(2, "a", 0).uniform(0), base);
  EXPECT_NE(AnswerRandom(1, "b", 0).uniform(0), base);
  EXPECT_NE(AnswerRandom(1, "a", 1).uniform(0), base);
  EXPECT_NE(AnswerRandom(1, "a", 0).uniform(1), base);
}

TEST(AnswerRandom, IsUniform) {
  const AnswerRandom random(7, "key", 3);
  constexpr int kDraws = 20000, kBins = 20;
  std::array<int, kBins> counts{};
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform(static_cast<std::uint32_t>(i));
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    ++counts[static_cast<std::size_t>(u * kBins)];
  }
  double chi_square = 0;
  for (const int count : counts) chi_square += std::pow(count - 1000.0, 2) / 1000.0;
  EXPECT_LT(chi_square, 43.8);  // 19 degrees of freedom, p = 0.001
}

}  // namespace
}  // namespace llmpatch
