#include "gguf/block_steps.h"

#include <ggml.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace llmpatch {
namespace {

std::vector<int> known_types() {
  std::vector<int> types;
  for (int type = 0; type < GGML_TYPE_COUNT; ++type) {
    if (can_requantise(type)) types.push_back(type);
  }
  return types;
}

std::vector<float> weights(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.1F);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

TEST(BlockSteps, KnowsTheUsualTypes) {
  EXPECT_EQ(known_types().size(), 15u);
  for (const int type : {GGML_TYPE_IQ1_S, GGML_TYPE_IQ2_XXS, GGML_TYPE_IQ3_S, GGML_TYPE_TQ1_0,
                         GGML_TYPE_MXFP4, GGML_TYPE_I32, GGML_TYPE_COUNT}) {
    EXPECT_FALSE(can_requantise(type));
  }
  EXPECT_TRUE(searches_scale(GGML_TYPE_Q4_K));
  EXPECT_FALSE(searches_scale(GGML_TYPE_Q8_0));
  EXPECT_FALSE(searches_scale(GGML_TYPE_F16));
}

TEST(BlockSteps, FollowFromTheBits) {
  std::vector<float> block(32, 0.F);
  block[3] = -8;
  block[7] = 7;
  EXPECT_FLOAT_EQ(block_steps(GGML_TYPE_Q4_0, block)[0], 1.F);   // 8 / 8
  EXPECT_FLOAT_EQ(block_steps(GGML_TYPE_Q4_1, block)[0], 1.F);   // 15 / 15
  EXPECT_FLOAT_EQ(block_steps(GGML_TYPE_Q5_0, block)[0], 0.5F);  // 8 / 16
  EXPECT_FLOAT_EQ(block_steps(GGML_TYPE_Q8_0, block)[0], 8.F / 127);
  EXPECT_FLOAT_EQ(block_steps(GGML_TYPE_F16, block)[3], 8 * 0x1p-10F);  // grows with the value
  EXPECT_GT(block_steps(GGML_TYPE_F16, block)[0], 0);                   // even at zero
}

TEST(BlockSteps, AreEachBlocksOwn) {
  std::vector<float> values(64, 0.01F);
  values[40] = 10;
  const auto steps = block_steps(GGML_TYPE_Q8_0, values);
  EXPECT_FLOAT_EQ(steps[0], 0.01F / 127);
  EXPECT_FLOAT_EQ(steps[63], 10.F / 127);
}

// Rounding moves a weight by little more than a step: 1.25 is what the comparison allows.
TEST(BlockSteps, BoundWhatRoundingDoes) {
  for (const int type : known_types()) {
    for (std::uint32_t seed = 0; seed < 50; ++seed) {
      const std::vector<float> values = weights(256, seed);
      const auto rounded = requantise(type, values);
      ASSERT_TRUE(rounded.ok());
      const auto steps = block_steps(type, values);
      for (std::size_t i = 0; i < values.size(); ++i) {
        ASSERT_LE(std::abs((*rounded)[i] - values[i]), 1.25F * steps[i])
            << ggml_type_name(static_cast<ggml_type>(type));
      }
    }
  }
}

TEST(Requantise, RefusesWhatItCannotDo) {
  const std::vector<float> values = weights(256, 1);
  for (const int type : {int{GGML_TYPE_IQ2_XXS}, int{GGML_TYPE_I8}, int{GGML_TYPE_COUNT}, -1, 4}) {
    EXPECT_EQ(requantise(type, values).error().kind, ErrorKind::kInvalidArgument) << type;
  }
  EXPECT_EQ(requantise(GGML_TYPE_Q8_0, std::span(values).first(33)).error().kind,
            ErrorKind::kInvalidArgument);
}

// The recorded weights come from a file: whatever finite values stand there, nothing may abort.
TEST(Requantise, SurvivesExtremeValues) {
  constexpr float kMax = 3.4e38F, kTiny = 1e-45F;
  for (const int type : known_types()) {
    for (const auto& [first, rest] : {std::pair{0.F, 0.F},
                                      {kMax, -kMax},
                                      {kTiny, -kTiny},
                                      {kMax, kTiny},
                                      {-kMax, 0.F},
                                      {65504.F, 1e-7F}}) {
      std::vector<float> values(256, rest);
      for (std::size_t i = 0; i < values.size(); i += 5) values[i] = first;
      EXPECT_TRUE(requantise(type, values).ok());
      EXPECT_EQ(block_steps(type, values).size(), values.size());
    }
  }
}

}  // namespace
}  // namespace llmpatch
