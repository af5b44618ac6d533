#include "gguf/gguf_image.h"

#include <ggml.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "gguf/dequantize.h"
#include "gguf/gguf_test_file.h"

namespace llmpatch {
namespace {

TEST(GgufImage, ReadsBack) {
  const std::vector<float> line{1, -2, 3}, matrix{1, 2, 3, 4, 5, 6};
  GgufImage image;
  image.text("general.architecture", "llama");
  image.i32("some.count", -7);
  image.u32("some.size", 7);
  image.f32("some.scale", 0.5F);
  image.floats("line", line);
  const std::array<std::uint64_t, 4> shape{3, 2, 1, 1};
  image.tensor("matrix", shape, GGML_TYPE_F32, std::as_bytes(std::span(matrix)));

  const auto file = open_gguf(image.bytes());
  ASSERT_TRUE(file.ok()) << file.error().to_string();
  EXPECT_EQ(file->architecture().value(), "llama");
  EXPECT_EQ(std::get<std::int64_t>(file->metadata().at("some.count")), -7);
  EXPECT_EQ(file->integer("some.size").value(), 7u);
  EXPECT_EQ(file->number("some.scale").value(), 0.5);
  ASSERT_EQ(file->tensors().size(), 2u);
  EXPECT_EQ(file->find("line")->ne, (std::array<std::uint64_t, 4>{3, 1, 1, 1}));
  EXPECT_EQ(file->find("matrix")->ne, shape);
  std::vector<float> read(6);
  ASSERT_TRUE(dequantize_rows(*file->find("matrix"), 0, 2, read).ok());
  EXPECT_EQ(read, matrix);
  read.resize(3);
  ASSERT_TRUE(dequantize_rows(*file->find("line"), 0, 1, read).ok());
  EXPECT_EQ(read, line);
}

TEST(GgufImage, MayHoldMetadataAlone) {
  GgufImage image;
  image.text("general.architecture", "llama");
  const auto file = open_gguf(image.bytes());
  ASSERT_TRUE(file.ok()) << file.error().to_string();
  EXPECT_TRUE(file->tensors().empty());
}

}  // namespace
}  // namespace llmpatch
