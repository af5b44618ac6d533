#include "patch/rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "patch/test_patch.h"

namespace llmpatch {
namespace {

// A safetensors file written by hand: whatever length, header and data.
std::string raw(std::uint64_t length, const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}
std::string file(const std::string& header, const std::string& data) {
  return raw(header.size(), header, data);
}
std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"prompt_embeddings":{"dtype":")" + dtype + R"(","shape":)" + shape +
         R"(,"data_offsets":)" + offsets + "}}";
}
std::string floats(std::initializer_list<float> values) {
  std::string bytes;
  for (const float value : values) bytes.append(reinterpret_cast<const char*>(&value), 4);
  return bytes;
}
const std::string kSixteen(16, '\0');

void refuse(const std::string& bytes, ErrorKind kind, std::string_view part) {
  SCOPED_TRACE(part);
  expect_error(rows_from_safetensors(bytes, "x.safetensors"), kind, part);
}
void corrupt(const std::string& bytes, std::string_view part) {
  refuse(bytes, ErrorKind::kCorrupt, part);
}

TEST(Safetensors, RoundTripsEveryBit) {
  const Rows rows{2, 2, {1.0F / 3, std::numeric_limits<float>::denorm_min(), 10000, -0.0F}};
  const std::string bytes = rows_to_safetensors(rows);
  const auto read = rows_from_safetensors(bytes, "x");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(read->n, 2u);
  EXPECT_EQ(std::memcmp(read->values.data(), rows.values.data(), 16), 0);
  EXPECT_EQ(rows_to_safetensors(*read), bytes);
}

// A published PEFT adapter of 200 x 3072 has 2457728 bytes; its header is padded to 120.
TEST(Safetensors, HasTheSizeThatPeftWrites) {
  const Rows rows{200, 3072, std::vector<float>(200 * 3072)};
  const std::string bytes = rows_to_safetensors(rows);
  EXPECT_EQ(bytes.size(), 2457728u);
  EXPECT_EQ(bytes.substr(8, 46), R"({"__metadata__":{"format":"pt"},"prompt_embedd)");
}

TEST(Safetensors, WidensHalfAndBrainFloats) {
  // f16: 1, -2, the smallest subnormal 2^-24, 10000 = 2^13 * (1 + 226 / 1024)
  const std::string half("\x00\x3c\x00\xc0\x01\x00\xe2\x70", 8);
  const auto f16 = rows_from_safetensors(file(tensor("F16", "[4,1]", "[0,8]"), half), "x");
  ASSERT_TRUE(f16.ok()) << f16.error().to_string();
  EXPECT_EQ(f16->values, (std::vector<float>{1, -2, 0x1p-24F, 10000}));
  // bf16: 1, -3.140625
  const std::string brain("\x80\x3f\x49\xc0", 4);
  const auto bf16 = rows_from_safetensors(file(tensor("BF16", "[2,1]", "[0,4]"), brain), "x");
  ASSERT_TRUE(bf16.ok()) << bf16.error().to_string();
  EXPECT_EQ(bf16->values, (std::vector<float>{1, -3.140625F}));
  refuse(file(tensor("F16", "[1,1]", "[0,2]"), std::string("\x00\x7c", 2)), ErrorKind::kCorrupt,
         "inf");
}

TEST(Safetensors, RefusesALyingHeaderLength) {
  const std::string header = tensor("F32", "[1,4]", "[0,16]");
  corrupt("", "header length");
  corrupt("\x01\x02\x03", "header length");
  corrupt(raw(header.size() + 17, header, kSixteen), "bytes that follow");
  corrupt(raw(header.size() - 1, header, kSixteen), "unexpected end");
  corrupt(raw(header.size() + 1, header, kSixteen), "JSON object");
  corrupt(raw(0, header, kSixteen), "JSON object");
  refuse(raw(65537, header, kSixteen), ErrorKind::kLimit, "length");
  for (const std::uint64_t length :
       {std::uint64_t{1} << 31, std::uint64_t{1} << 32, std::uint64_t{1} << 63, ~std::uint64_t{0},
        ~std::uint64_t{0} - 7}) {
    refuse(raw(length, header, kSixteen), ErrorKind::kLimit, "length");
  }
}

TEST(Safetensors, RefusesEveryTruncation) {
  const std::string bytes = rows_to_safetensors(small_patch().rows);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(rows_from_safetensors(bytes.substr(0, size), "x").ok()) << size;
  }
}

TEST(Safetensors, RefusesTrailingBytesAndForeignPadding) {
  const std::string header = tensor("F32", "[1,4]", "[0,16]");
  ASSERT_TRUE(rows_from_safetensors(file(header + "  ", kSixteen), "x").ok());
  corrupt(file(header, kSixteen + "PK"), "18 bytes");
  corrupt(file(header + "\n", kSixteen), "JSON object");
  corrupt(file(" " + header, kSixteen), "JSON object");
  corrupt(file(header + header, kSixteen), "syntax");
}

TEST(Safetensors, RefusesOtherTensors) {
  const std::string one = R"({"dtype":"F32","shape":[1,2],"data_offsets":[0,8]})";
  const std::string two = R"({"dtype":"F32","shape":[1,2],"data_offsets":[8,16]})";
  corrupt(file(R"({"prompt_embeddings":)" + one + R"(,"extra":)" + two + "}", kSixteen), "extra");
  corrupt(file(R"({"prompt_embeddings":)" + one + R"(,"prompt_embeddings":)" + two + "}", kSixteen),
          "duplicate key");
  // overlapping: both tensors claim the same bytes
  corrupt(file(R"({"prompt_embeddings":)" + one + R"(,"other":)" + one + "}", floats({1, 2})),
          "other");
  corrupt(file(R"({"weight":)" + one + "}", floats({1, 2})), "weight");
  corrupt(file("{}", ""), "prompt_embeddings");
  corrupt(file(R"({"a\nb":1})", ""), "a\\nb");
}

TEST(Safetensors, RefusesOffsetsThatAreNotTheShape) {
  corrupt(file(tensor("F32", "[1,4]", "[0,12]"), kSixteen), "data_offsets");
  corrupt(file(tensor("F32", "[1,4]", "[4,20]"), kSixteen), "data_offsets");
  corrupt(file(tensor("F32", "[1,4]", "[16,0]"), kSixteen), "data_offsets");
  corrupt(file(tensor("F32", "[1,4]", "[0,32]"), kSixteen), "data_offsets");
  corrupt(file(tensor("F32", "[1,8]", "[0,32]"), kSixteen), "16 bytes");
  corrupt(file(tensor("F32", "[1,4]", "[-16,0]"), kSixteen), "-16");
  corrupt(file(tensor("F32", "[1,4]", "[0]"), kSixteen), "numbers");
  corrupt(file(tensor("F32", "[1,4]", "[0,18446744073709551616]"), kSixteen), "non-negative");
}

TEST(Safetensors, RefusesOtherShapes) {
  corrupt(file(tensor("F32", "[4]", "[0,16]"), kSixteen), "numbers");
  corrupt(file(tensor("F32", "[1,2,2]", "[0,16]"), kSixteen), "numbers");
  corrupt(file(tensor("F32", "[]", "[0,16]"), kSixteen), "numbers");
  corrupt(file(tensor("F32", "[1,4.0]", "[0,16]"), kSixteen), "4.0");
  corrupt(file(tensor("F32", "[-1,-4]", "[0,16]"), kSixteen), "-1");
  corrupt(file(tensor("F32", R"(["1",4])", "[0,16]"), kSixteen), "non-negative");
  corrupt(file(tensor("F32", "[0,4]", "[0,0]"), ""), "empty");
  corrupt(file(tensor("F32", "[4,0]", "[0,0]"), ""), "empty");
  refuse(file(tensor("F32", "[4097,1]", "[0,16388]"), kSixteen), ErrorKind::kLimit, "4097");
  refuse(file(tensor("F32", "[1,65537]", "[0,16]"), kSixteen), ErrorKind::kLimit, "65537");
  // 2^62 * 4 bytes wraps to zero in 64 bits
  refuse(file(tensor("F32", "[4611686018427387904,1]", "[0,0]"), ""), ErrorKind::kLimit, "shape");
  refuse(file(tensor("F32", "[2147483648,2147483648]", "[0,0]"), ""), ErrorKind::kLimit, "shape");
}

TEST(Safetensors, RefusesOtherTypesAndMembers) {
  for (const char* dtype : {"F64", "I8", "f32", "", "F8_E4M3"}) {
    refuse(file(tensor(dtype, "[1,4]", "[0,16]"), kSixteen), ErrorKind::kUnsupported, "dtype");
  }
  corrupt(file(R"({"prompt_embeddings":[1]})", ""), "array");
  corrupt(file(R"({"prompt_embeddings":{"dtype":"F32","shape":[1,4]}})", kSixteen), "data_offsets");
  corrupt(file(R"({"prompt_embeddings":{"dtype":"F32","shape":[1,4],"data_offsets":[0,16],"x":1}})",
               kSixteen),
          "members");
  corrupt(file(R"({"__metadata__":{"format":1},)" + tensor("F32", "[1,4]", "[0,16]").substr(1),
               kSixteen),
          "__metadata__");
  corrupt(file(R"({"__metadata__":"pt",)" + tensor("F32", "[1,4]", "[0,16]").substr(1), kSixteen),
          "__metadata__");
  corrupt(file("{" + std::string(5000, '[') + "}", ""), "x.safetensors");
  corrupt(file("{\"\xff\":1}", ""), "UTF-8");
}

TEST(Safetensors, RefusesNumbersThatAreNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::string header = tensor("F32", "[2,2]", "[0,16]");
  corrupt(file(header, floats({0, 0, 0, nan})), "row 1");
  corrupt(file(header, floats({infinity, 0, 0, 0})), "row 0");
  corrupt(file(header, floats({0, -infinity, 0, 0})), "row 0");
}

// The largest norms that are taken, and the next ones of each type.
TEST(Safetensors, RefusesRowsLongerThanAnyModelsEmbeddings) {
  const auto accept = [](const std::string& dtype, const std::string& data) {
    const std::string size = std::to_string(data.size());
    return rows_from_safetensors(file(tensor(dtype, "[1,2]", "[0," + size + "]"), data), "x");
  };
  EXPECT_TRUE(accept("F32", floats({6000, -8000})).ok());
  EXPECT_FALSE(accept("F32", floats({6000, -8001})).ok());
  const float next = std::nextafter(10000.0F, 20000.0F);
  const std::string header = tensor("F32", "[2,2]", "[0,16]");
  corrupt(file(header, floats({0, 0, next, 0})), "row 1: found a norm of 10000, expected");
  corrupt(file(header, floats({0, -next, 0, 0})), "row 0: found a norm of 10000, expected");
  corrupt(file(header, floats({0, 0, 0, 1e38F})), "row 1: found a norm of 1e+38, expected");
  // f16: 10000 and 10008; bf16: 9984 (0x461c) and 10048 (0x461d)
  EXPECT_TRUE(accept("F16", std::string("\xe2\xf0\x00\x00", 4)).ok());
  EXPECT_FALSE(accept("F16", std::string("\x00\x00\xe3\x70", 4)).ok());
  EXPECT_TRUE(accept("BF16", std::string("\x1c\xc6\x00\x00", 4)).ok());
  EXPECT_FALSE(accept("BF16", std::string("\x00\x00\x1d\x46", 4)).ok());
}

TEST(RowStatistics, AreNormsOverTheWidth) {
  // norms 5, 13, 10; squares sum to 294 over 6 values, 294 / 6 = 49
  const Rows odd{3, 2, {3, 4, 5, 12, 6, 8}};
  EXPECT_EQ(row_statistics(odd), (RowStatistics{5, 10, 13, 7}));
  // without the last row: the median is the mean of 5 and 13; rms sqrt(194 / 4)
  const RowStatistics even = row_statistics({2, 2, {3, 4, 5, 12}});
  EXPECT_EQ(even.norm_median, 9);
  EXPECT_DOUBLE_EQ(even.rms * even.rms, 48.5);
  EXPECT_EQ(row_statistics({}), RowStatistics{});
}

}  // namespace
}  // namespace llmpatch
