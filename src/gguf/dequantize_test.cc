#include "gguf/dequantize.h"

#include <ggml.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "gguf/gguf_test_file.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kColumns = 512, kRows = 3;

std::vector<float> random_values(std::size_t count) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

GgufTensor tensor_of(ggml_type type, const std::string& bytes) {
  return {"t", type, {kColumns, kRows, 1, 1}, std::as_bytes(std::span(bytes))};
}

struct TypeCase {
  ggml_type type;
  double loss;  // mean square error after quantising unit Gaussians, at most: from its bits
};

class DequantizeType : public ::testing::TestWithParam<TypeCase> {};

// Quantised by ggml and read back: as close to the original as the type's bits allow, and equal to
// reading each row alone.
TEST_P(DequantizeType, GivesBackWhatWasQuantised) {
  const ggml_type type = GetParam().type;
  const std::vector<float> original = random_values(kColumns * kRows);
  const std::vector<float> importance(kColumns, 1.f);
  std::string bytes(ggml_row_size(type, kColumns) * kRows, '\0');
  ggml_quantize_chunk(type, original.data(), bytes.data(), 0, kRows, kColumns, importance.data());

  std::vector<float> values(original.size());
  ASSERT_TRUE(dequantize_rows(tensor_of(type, bytes), 0, kRows, values).ok());
  double loss = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    loss += std::pow(double{values[i]} - double{original[i]}, 2);
  }
  EXPECT_LE(loss / static_cast<double>(values.size()), GetParam().loss);

  std::vector<float> row(kColumns);
  for (std::uint64_t i = 0; i < kRows; ++i) {
    ASSERT_TRUE(dequantize_rows(tensor_of(type, bytes), i, 1, row).ok());
    EXPECT_TRUE(std::equal(row.begin(), row.end(), values.begin() + i * kColumns));
  }
}

// A block of 32 unit Gaussians spans about 4.2, so b bits make steps of 4.2 / (2^b - 1) and a loss
// of step^2 / 12; twice that allows for rounded scales.
constexpr double uniform_loss(int bits) {
  const double step = 4.2 / ((1 << bits) - 1);
  return 2 * step * step / 12;
}

INSTANTIATE_TEST_SUITE_P(
    , DequantizeType,
    ::testing::Values(
        TypeCase{GGML_TYPE_F32, 0}, TypeCase{GGML_TYPE_F16, 1e-6}, TypeCase{GGML_TYPE_BF16, 1e-5},
        TypeCase{GGML_TYPE_Q4_0, uniform_loss(4)}, TypeCase{GGML_TYPE_Q4_1, uniform_loss(4)},
        TypeCase{GGML_TYPE_Q5_0, uniform_loss(5)}, TypeCase{GGML_TYPE_Q5_1, uniform_loss(5)},
        TypeCase{GGML_TYPE_Q8_0, uniform_loss(8)}, TypeCase{GGML_TYPE_Q2_K, uniform_loss(2)},
        TypeCase{GGML_TYPE_Q3_K, uniform_loss(3)}, TypeCase{GGML_TYPE_Q4_K, uniform_loss(4)},
        TypeCase{GGML_TYPE_Q5_K, uniform_loss(5)}, TypeCase{GGML_TYPE_Q6_K, uniform_loss(6)},
        TypeCase{GGML_TYPE_IQ4_NL, uniform_loss(4)}, TypeCase{GGML_TYPE_IQ4_XS, uniform_loss(4)},
        TypeCase{GGML_TYPE_IQ3_S, uniform_loss(3)}, TypeCase{GGML_TYPE_IQ3_XXS, uniform_loss(3)},
        TypeCase{GGML_TYPE_MXFP4, uniform_loss(3)}),
    [](const auto& suite) { return std::string(ggml_type_name(suite.param.type)); });

// Quantising to these takes ggml seconds of preparation, so the blocks are random bytes: twice the
// scale (their first two bytes) gives twice the values.
TEST(Dequantize, SmallCodebookTypesFollowTheirScale) {
  std::mt19937 random(3);
  for (const ggml_type type :
       {GGML_TYPE_IQ1_S, GGML_TYPE_IQ2_XXS, GGML_TYPE_IQ2_XS, GGML_TYPE_IQ2_S}) {
    const std::size_t block = ggml_type_size(type);
    std::string bytes(ggml_row_size(type, kColumns) * kRows, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    std::vector<float> values[2];
    for (int doubled = 0; doubled < 2; ++doubled) {
      const std::string scale = little_endian<std::uint16_t>(doubled == 0 ? 0x3c00 : 0x4000);
      for (std::size_t at = 0; at < bytes.size(); at += block) bytes.replace(at, 2, scale);
      values[doubled].resize(kColumns * kRows);
      ASSERT_TRUE(dequantize_rows(tensor_of(type, bytes), 0, kRows, values[doubled]).ok());
    }
    for (std::size_t i = 0; i < values[0].size(); ++i) {
      ASSERT_EQ(values[1][i], 2 * values[0][i]) << ggml_type_name(type);
      ASSERT_NE(values[0][i], 0) << ggml_type_name(type);
    }
  }
}

TEST(Dequantize, TernaryTypesKeepTernaryWeights) {
  std::vector<float> original = random_values(kColumns * kRows);
  for (float& value : original) value = value < -0.5f ? -2.f : value > 0.5f ? 2.f : 0.f;
  for (const ggml_type type : {GGML_TYPE_TQ1_0, GGML_TYPE_TQ2_0}) {
    std::string bytes(ggml_row_size(type, kColumns) * kRows, '\0');
    ggml_quantize_chunk(type, original.data(), bytes.data(), 0, kRows, kColumns, nullptr);
    std::vector<float> values(original.size());
    ASSERT_TRUE(dequantize_rows(tensor_of(type, bytes), 0, kRows, values).ok());
    EXPECT_EQ(values, original) << ggml_type_name(type);
  }
}

TEST(Dequantize, ReadsF16Bits) {
  const std::string bytes = little_endian<std::uint16_t>(0x3c00) +  // 1
                            little_endian<std::uint16_t>(0xc100) +  // -2.5
                            little_endian<std::uint16_t>(0x0001);   // 2^-24
  const GgufTensor tensor{"t", GGML_TYPE_F16, {3, 1, 1, 1}, std::as_bytes(std::span(bytes))};
  std::vector<float> values(3);
  ASSERT_TRUE(dequantize_rows(tensor, 0, 1, values).ok());
  EXPECT_EQ(values, (std::vector<float>{1, -2.5f, 0x1p-24f}));
}

TEST(Dequantize, ReadsAQ8_0Block) {
  std::string bytes = little_endian<std::uint16_t>(0x3800);  // scale 0.5
  for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<char>(i - 16));
  const GgufTensor tensor{"t", GGML_TYPE_Q8_0, {32, 1, 1, 1}, std::as_bytes(std::span(bytes))};
  std::vector<float> values(32);
  ASSERT_TRUE(dequantize_rows(tensor, 0, 1, values).ok());
  for (int i = 0; i < 32; ++i) EXPECT_EQ(values[i], 0.5f * static_cast<float>(i - 16));
}

TEST(Dequantize, RefusesRowsOutside) {
  const std::string bytes(kColumns * kRows * 4, '\0');
  const GgufTensor tensor = tensor_of(GGML_TYPE_F32, bytes);
  std::vector<float> row(kColumns);
  constexpr std::uint64_t kHuge = ~std::uint64_t{0};
  for (const std::uint64_t first : {kRows, kRows + 1, kHuge}) {
    EXPECT_EQ(dequantize_rows(tensor, first, 1, row).error().kind, ErrorKind::kInvalidArgument);
  }
  EXPECT_EQ(dequantize_rows(tensor, 1, kHuge, row).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_TRUE(dequantize_rows(tensor, kRows, 0, {}).ok());
}

TEST(Dequantize, RefusesAnOutputOfAnotherSize) {
  const std::string bytes(kColumns * kRows * 4, '\0');
  std::vector<float> row(kColumns - 1);
  EXPECT_EQ(dequantize_rows(tensor_of(GGML_TYPE_F32, bytes), 0, 1, row).error().kind,
            ErrorKind::kInvalidArgument);
}

TEST(Dequantize, RefusesTypesWithoutAFloatForm) {
  const std::string bytes(kColumns * kRows * 8, '\0');
  std::vector<float> row(kColumns);
  for (const ggml_type type : {GGML_TYPE_I8, GGML_TYPE_I32, GGML_TYPE_I64, GGML_TYPE_F64,
                               GGML_TYPE_Q8_1, GGML_TYPE_Q8_K}) {
    EXPECT_EQ(dequantize_rows(tensor_of(type, bytes), 0, 1, row).error().kind,
              ErrorKind::kUnsupported);
  }
}

// Rows of a real model are weights: finite, small, and not all alike.
TEST(Dequantize, ReadsRealModels) {
  for (const char* name : {"smollm2-135m-instruct-q4_1.gguf", "gemma3-270m-q4_k_m.gguf"}) {
    const auto file = GgufFile::open(std::filesystem::path(LLMPATCH_SOURCE_DIR "/models") / name);
    if (!file.ok() && file.error().kind == ErrorKind::kNotFound) GTEST_SKIP() << "no models";
    ASSERT_TRUE(file.ok());
    for (const GgufTensor& tensor : file->tensors()) {
      if (tensor.rows() < 2) continue;
      std::vector<float> row(tensor.columns());
      ASSERT_TRUE(dequantize_rows(tensor, tensor.rows() - 1, 1, row).ok());
      double sum = 0;
      for (const float value : row) sum += double{value} * value;
      const double rms = std::sqrt(sum / static_cast<double>(row.size()));
      EXPECT_GT(rms, 1e-4) << tensor.name;
      EXPECT_LT(rms, 10) << tensor.name;
    }
  }
}

}  // namespace
}  // namespace llmpatch
