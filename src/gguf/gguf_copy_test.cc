#include "gguf/gguf_copy.h"

#include <gtest/gtest.h>

#include "gguf/gguf_test_file.h"

namespace llmpatch {
namespace {

std::string written(const GgufCopy& copy) {
  std::string bytes;
  const Status status = copy.write([&](std::string_view more) -> Status {
    bytes += more;
    return {};
  });
  EXPECT_TRUE(status.ok()) << status.error().to_string();
  return bytes;
}

GgufCopy::Sink nowhere() {
  return [](std::string_view) -> Status { return {}; };
}

Result<std::string> one() { return std::string("\0\0\x80\x3f", 4); }  // 1 as F32

// A file with an alignment of its own, or the usual one.
GgufTestFile source(std::uint64_t alignment) {
  GgufTestFile file;
  file.alignment = alignment;
  file.text("general.architecture", "llama");
  if (alignment != 32) file.u32("general.alignment", static_cast<std::uint32_t>(alignment));
  file.strings("words", {"one", std::string("t\0o", 3)});
  file.i32("offset", -1);
  file.floats("a", {3, 2}, {1, 2, 3, 4, 5, 6});
  return file;
}

TEST(GgufCopy, KeepsKeysAndAlignmentAndAddsToThem) {
  for (const std::uint64_t alignment : {32, 64}) {
    GgufTestFile expected = source(alignment);
    const auto file = open_gguf(expected.bytes());
    ASSERT_TRUE(file.ok()) << file.error().to_string();
    GgufCopy copy(*file);
    copy.f32("more", 2);
    for (const GgufTensor& tensor : file->tensors()) {
      copy.tensor(tensor.name, tensor.ne, tensor.type, tensor.data.size(),
                  [&]() -> Result<std::string> {
                    return std::string(reinterpret_cast<const char*>(tensor.data.data()),
                                       tensor.data.size());
                  });
    }
    copy.tensor("b", {1, 1, 1, 1}, 0, 4, one);
    expected.f32("more", 2);  // by hand, field for field
    expected.floats("b", {1}, {1});
    EXPECT_EQ(written(copy), expected.bytes()) << alignment;
  }
}

TEST(GgufCopy, FailsAsItsPartsDo) {
  const auto file = open_gguf(source(32).bytes());
  const auto failing = [] { return make_error(ErrorKind::kIo, "test", "disk: found none"); };
  GgufCopy copy(*file);
  copy.tensor("a", {1, 1, 1, 1}, 0, 4, [&]() -> Result<std::string> { return failing(); });
  EXPECT_EQ(copy.write(nowhere()).error().kind, ErrorKind::kIo);
  GgufCopy full(*file);
  full.tensor("a", {1, 1, 1, 1}, 0, 4, one);
  EXPECT_EQ(full.write([&](std::string_view) -> Status { return failing(); }).error().kind,
            ErrorKind::kIo);
  GgufCopy lying(*file);
  lying.tensor("a", {1, 1, 1, 1}, 0, 5, one);
  EXPECT_EQ(lying.write(nowhere()).error().kind, ErrorKind::kInternal);
}

}  // namespace
}  // namespace llmpatch
