#include "gguf/gguf_file.h"

#include <ggml.h>
#include <gtest/gtest.h>

#include <functional>

#include "gguf/gguf_test_file.h"

namespace llmpatch {
namespace {

// A small right file: keys of every kind, two tensors.
GgufTestFile right_file() {
  GgufTestFile file;
  file.text("general.architecture", "llama");
  file.u32("llama.block_count", 2);
  file.i32("a.signed", 7);
  file.i32("a.negative", -7);
  file.f32("a.number", 0.5f);
  file.key("a.bool", 7, "\x01");
  file.key("a.byte", 0, "\xff");
  file.key("a.wide", 10, little_endian<std::uint64_t>(1) + "");
  file.strings("a.strings", {"one", "", "three"});
  file.array("a.integers", 5, 2, little_endian<std::int32_t>(-1) + little_endian<std::int32_t>(2));
  file.floats("blk.0.ffn_norm.weight", {3}, {1, 2, 3});
  file.floats("blk.0.attn_q.weight", {2, 2}, {4, 5, 6, 7});
  return file;
}

TEST(GgufFile, ReadsMetadata) {
  const auto file = open_gguf(right_file().bytes());
  ASSERT_TRUE(file.ok()) << file.error().to_string();
  EXPECT_EQ(*file->architecture(), "llama");
  EXPECT_EQ(*file->integer("llama.block_count"), 2u);
  EXPECT_EQ(*file->integer("a.signed"), 7u);
  EXPECT_EQ(*file->integer("a.byte"), 255u);
  EXPECT_EQ(*file->integer("a.wide"), 1u);
  EXPECT_EQ(*file->number("a.number"), 0.5);
  EXPECT_EQ(*file->number("a.signed"), 7);
  EXPECT_EQ(*file->number("a.negative"), -7);
  EXPECT_EQ(std::get<bool>(file->metadata().at("a.bool")), true);
  EXPECT_EQ(std::get<std::vector<std::string>>(file->metadata().at("a.strings")),
            (std::vector<std::string>{"one", "", "three"}));
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(file->metadata().at("a.integers")),
            (std::vector<std::int64_t>{-1, 2}));
  EXPECT_EQ(*file->optional_integer("absent"), std::nullopt);
  EXPECT_EQ(*file->optional_number("absent"), std::nullopt);
}

TEST(GgufFile, RefusesMetadataOfAnotherType) {
  const auto file = open_gguf(right_file().bytes());
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->integer("absent").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(file->string("absent").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(file->integer("general.architecture").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(file->integer("a.negative").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(file->integer("a.number").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(file->number("a.bool").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(file->string("llama.block_count").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(file->optional_integer("a.strings").error().kind, ErrorKind::kCorrupt);
}

TEST(GgufFile, FindsTensors) {
  const auto file = open_gguf(right_file().bytes());
  ASSERT_TRUE(file.ok());
  ASSERT_EQ(file->tensors().size(), 2u);
  EXPECT_EQ(file->tensors()[0].name, "blk.0.ffn_norm.weight");
  EXPECT_EQ(file->find("absent"), nullptr);
  const GgufTensor* matrix = file->find("blk.0.attn_q.weight");
  ASSERT_NE(matrix, nullptr);
  EXPECT_EQ(matrix->type, GGML_TYPE_F32);
  EXPECT_EQ(matrix->columns(), 2u);
  EXPECT_EQ(matrix->rows(), 2u);
  ASSERT_EQ(matrix->data.size(), 16u);
  float last = 0;
  std::memcpy(&last, matrix->data.data() + 12, sizeof last);
  EXPECT_EQ(last, 7);
}

TEST(GgufFile, KeepsTensorsWhenMoved) {
  auto opened = open_gguf(right_file().bytes());
  ASSERT_TRUE(opened.ok());
  const GgufFile moved = std::move(opened).value();
  const GgufTensor* tensor = moved.find("blk.0.ffn_norm.weight");
  ASSERT_NE(tensor, nullptr);
  float first = 0;
  std::memcpy(&first, tensor->data.data(), sizeof first);
  EXPECT_EQ(first, 1);
}

TEST(GgufFile, ReadsVersionTwoAndOtherAlignments) {
  GgufTestFile file;
  file.version = 2;
  file.alignment = 64;
  file.text("general.architecture", "llama");
  file.u32("general.alignment", 64);
  file.floats("a", {1}, {1});
  file.floats("b", {1}, {2});
  const auto opened = open_gguf(file.bytes());
  ASSERT_TRUE(opened.ok()) << opened.error().to_string();
  EXPECT_EQ(opened->find("b")->data.data() - opened->find("a")->data.data(), 64);
}

TEST(GgufFile, ReadsAFileWithoutTensors) {
  GgufTestFile file;
  file.text("general.architecture", "llama");
  EXPECT_TRUE(open_gguf(file.bytes()).ok());
}

TEST(GgufFile, NamesTheMissingFile) {
  const auto file = GgufFile::open("/nowhere/model.gguf", "teacher");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(file.error().message.find("teacher"), std::string::npos);
  EXPECT_NE(file.error().message.find("/nowhere/model.gguf"), std::string::npos);
}

TEST(GgufFile, RefusesABadArchitecture) {
  const auto without = open_gguf(GgufTestFile().bytes());
  ASSERT_TRUE(without.ok());
  EXPECT_EQ(without->architecture().error().kind, ErrorKind::kCorrupt);
  for (const std::string& name : {std::string(), std::string("a\x1b[2J"), std::string(65, 'a')}) {
    GgufTestFile file;
    file.text("general.architecture", name);
    const auto opened = open_gguf(file.bytes());
    ASSERT_TRUE(opened.ok());
    EXPECT_EQ(opened->architecture().error().kind, ErrorKind::kCorrupt) << name;
  }
}

// No cut of a right file opens: every byte of it is needed up to the last tensor's end.
TEST(GgufFile, RefusesEveryTruncation) {
  const std::string whole = right_file().bytes();
  const std::size_t needed = whole.size() - 16;  // the last tensor is padded from 16 to 32 bytes
  ASSERT_TRUE(open_gguf(whole.substr(0, needed)).ok());
  for (std::size_t length = 0; length < needed; ++length) {
    const auto file = open_gguf(whole.substr(0, length));
    ASSERT_FALSE(file.ok()) << length;
    EXPECT_EQ(file.error().kind, ErrorKind::kCorrupt) << length;
  }
}

// Any one byte changed: an error or a file, never a crash (the sanitizers watch).
TEST(GgufFile, SurvivesEveryChangedByte) {
  const std::string whole = right_file().bytes();
  std::size_t refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char value : {'\0', '\x01', '\x7f', '\xff'}) {
      std::string changed = whole;
      changed[at] = value;
      refused += open_gguf(changed).ok() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, whole.size());
}

struct HostileCase {
  const char* name;
  std::function<void(GgufTestFile&)> spoil;
  ErrorKind kind;
  const char* message;  // a part of it
};

class HostileGguf : public ::testing::TestWithParam<HostileCase> {};

TEST_P(HostileGguf, IsRefused) {
  GgufTestFile file = right_file();
  GetParam().spoil(file);
  const auto opened = open_gguf(file.bytes());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, GetParam().kind) << opened.error().to_string();
  EXPECT_NE(opened.error().to_string().find(GetParam().message), std::string::npos)
      << opened.error().to_string();
}

constexpr std::uint64_t kHuge = ~std::uint64_t{0};
const std::string kFloats(64, '\0');

INSTANTIATE_TEST_SUITE_P(
    , HostileGguf,
    ::
        testing::
            Values(HostileCase{"BadMagic", [](auto& f) { f.magic = "GGML"; }, ErrorKind::kCorrupt,
                               "magic"},
                   HostileCase{"VersionOne", [](auto& f) { f.version = 1; },
                               ErrorKind::kUnsupported, "found 1, expected 2 or 3"},
                   HostileCase{"VersionFour", [](auto& f) { f.version = 4; },
                               ErrorKind::kUnsupported, "version"},
                   HostileCase{"BigEndian", [](auto& f) { f.version = 0x03000000; },
                               ErrorKind::kUnsupported, "big-endian"},
                   HostileCase{"HugeTensorCount", [](auto& f) { f.tensor_count = kHuge; },
                               ErrorKind::kLimit, "number of tensors"},
                   HostileCase{"HugeKeyCount", [](auto& f) { f.key_count = kHuge; },
                               ErrorKind::kLimit, "number of metadata keys"},
                   HostileCase{"MoreTensorsThanThere", [](auto& f) { f.tensor_count = 100000; },
                               ErrorKind::kCorrupt, "tensor"},
                   HostileCase{"MoreKeysThanThere", [](auto& f) { f.key_count = 60000; },
                               ErrorKind::kCorrupt, "metadata"},
                   HostileCase{"DuplicateKey", [](auto& f) { f.u32("llama.block_count", 3); },
                               ErrorKind::kCorrupt, "found the key twice"},
                   HostileCase{"EmptyKey", [](auto& f) { f.u32("", 3); }, ErrorKind::kCorrupt,
                               "metadata key"},
                   HostileCase{"ControlCharacterInKey", [](auto& f) { f.u32("a\x1b[2J", 3); },
                               ErrorKind::kCorrupt, "\\u001b[2J"},
                   HostileCase{"LongKey", [](auto& f) { f.u32(std::string(65536, 'k'), 3); },
                               ErrorKind::kLimit, "metadata key"},
                   HostileCase{"UnknownValueType", [](auto& f) { f.key("k", 13, "12345678"); },
                               ErrorKind::kCorrupt, "value type 13"},
                   HostileCase{"HugeValueType", [](auto& f) { f.key("k", 0xffffffff, "12345678"); },
                               ErrorKind::kCorrupt, "value type"},
                   HostileCase{"ArrayOfArrays",
                               [](auto& f) {
                                 f.array("k", 9, 1,
                                         little_endian<std::uint32_t>(0) +
                                             little_endian<std::uint64_t>(0));
                               },
                               ErrorKind::kCorrupt, "value type 9"},
                   HostileCase{"HugeArray", [](auto& f) { f.array("k", 4, kHuge, ""); },
                               ErrorKind::kLimit, "found an array"},
                   HostileCase{"ArrayLongerThanFile",
                               [](auto& f) { f.array("k", 10, 1 << 20, ""); }, ErrorKind::kCorrupt,
                               "before the end"},
                   HostileCase{"StringArrayLongerThanFile",
                               [](auto& f) { f.array("k", 8, 1 << 20, ""); }, ErrorKind::kCorrupt,
                               "before the end"},
                   HostileCase{"BoolArrayLongerThanFile",
                               [](auto& f) { f.array("k", 7, 1 << 20, ""); }, ErrorKind::kCorrupt,
                               "before the end"},
                   HostileCase{"HugeString", [](auto& f) { f.key("k", 8, little_endian(kHuge)); },
                               ErrorKind::kLimit, "found a string"},
                   HostileCase{
                       "StringLongerThanFile",
                       [](auto& f) { f.key("k", 8, little_endian<std::uint64_t>(1 << 20)); },
                       ErrorKind::kCorrupt, "before the end"},
                   HostileCase{"TruthValueTwo", [](auto& f) { f.key("k", 7, "\x02"); },
                               ErrorKind::kCorrupt, "truth value 2"},
                   HostileCase{"AlignmentZero", [](auto& f) { f.u32("general.alignment", 0); },
                               ErrorKind::kCorrupt, "general.alignment"},
                   HostileCase{"AlignmentOdd", [](auto& f) { f.u32("general.alignment", 33); },
                               ErrorKind::kCorrupt, "general.alignment"},
                   HostileCase{"AlignmentHuge",
                               [](auto& f) { f.u32("general.alignment", 1u << 31); },
                               ErrorKind::kCorrupt, "general.alignment"},
                   HostileCase{"AlignmentText", [](auto& f) { f.text("general.alignment", "32"); },
                               ErrorKind::kCorrupt, "general.alignment"},
                   HostileCase{"SplitFile", [](auto& f) { f.u32("split.count", 3); },
                               ErrorKind::kUnsupported, "one of 3 parts"},
                   HostileCase{"SplitCountText", [](auto& f) { f.text("split.count", "3"); },
                               ErrorKind::kCorrupt, "split.count"},
                   HostileCase{
                       "DuplicateTensor",
                       [](auto& f) { f.floats("blk.0.attn_q.weight", {1}, {1}); },
                       ErrorKind::kCorrupt, "found the name twice"},
                   HostileCase{"EmptyTensorName", [](auto& f) { f.floats("", {1}, {1}); },
                               ErrorKind::kCorrupt, "tensor name"},
                   HostileCase{"LongTensorName",
                               [](auto& f) { f.floats(std::string(64, 't'), {1}, {1}); },
                               ErrorKind::kLimit, "tensor name"},
                   HostileCase{"NoDimensions", [](auto& f) { f.floats("t", {}, {1}); },
                               ErrorKind::kCorrupt, "0 dimensions"},
                   HostileCase{
                       "FiveDimensions",
                       [](auto& f) {
                         f.floats("t", {1, 1, 1, 1, 1}, {1});
                       },
                       ErrorKind::kCorrupt, "5 dimensions"},
                   HostileCase{"EmptyDimension", [](auto& f) { f.floats("t", {4, 0}, {1}); },
                               ErrorKind::kCorrupt, "empty dimension"},
                   HostileCase{"ShapeOverflows",
                               [](auto& f) { f.floats("t", {1ull << 40, 1ull << 40}, {1}); },
                               ErrorKind::kCorrupt, "overflows"},
                   HostileCase{"ShapeOverflowsToZero",
                               [](auto& f) { f.floats("t", {1ull << 32, 1ull << 32}, {1}); },
                               ErrorKind::kCorrupt, "overflows"},
                   HostileCase{"BytesOverflow", [](auto& f) { f.floats("t", {1ull << 62}, {1}); },
                               ErrorKind::kCorrupt, "overflows"},
                   HostileCase{"UnknownTensorType",
                               [](auto& f) { f.tensor("t", {32}, 999, kFloats); },
                               ErrorKind::kUnsupported, "tensor type 999"},
                   HostileCase{"NegativeTensorType",
                               [](auto& f) { f.tensor("t", {32}, -1, kFloats); },
                               ErrorKind::kUnsupported, "tensor type -1"},
                   HostileCase{"RemovedTensorType",
                               [](auto& f) { f.tensor("t", {32}, 4, kFloats); },
                               ErrorKind::kUnsupported, "tensor type 4"},
                   HostileCase{"HalfABlock",
                               [](auto& f) { f.tensor("t", {48}, GGML_TYPE_Q8_0, kFloats); },
                               ErrorKind::kCorrupt, "multiple of 32"},
                   HostileCase{"UnalignedOffset",
                               [](auto& f) { f.tensor("t", {1}, 0, kFloats, 68); },
                               ErrorKind::kCorrupt, "expected a multiple of 32"},
                   HostileCase{"OffsetBehindTheEnd",
                               [](auto& f) { f.tensor("t", {1}, 0, kFloats, 1 << 20); },
                               ErrorKind::kCorrupt, "expected them inside"},
                   HostileCase{"OffsetOverflows",
                               [](auto& f) { f.tensor("t", {16}, 0, kFloats, kHuge - 31); },
                               ErrorKind::kCorrupt, "expected them inside"},
                   HostileCase{"DataBehindTheEnd",
                               [](auto& f) { f.tensor("t", {1024}, 0, kFloats); },
                               ErrorKind::kCorrupt, "expected them inside"},
                   HostileCase{"OverlappingTensors",
                               [](auto& f) { f.tensor("t", {1}, 0, kFloats, 32); },
                               ErrorKind::kCorrupt, "overlapping"},
                   HostileCase{"OverlapFromBefore",
                               [](auto& f) { f.tensor("t", {12}, 0, kFloats, 0); },
                               ErrorKind::kCorrupt, "overlapping"}),
    [](const auto& suite) { return std::string(suite.param.name); });

TEST(GgufFile, ReadsRealModels) {
  const std::filesystem::path models = LLMPATCH_SOURCE_DIR "/models";
  const auto small = GgufFile::open(models / "smollm2-135m-instruct-q4_1.gguf");
  if (!small.ok() && small.error().kind == ErrorKind::kNotFound) GTEST_SKIP() << "no models";
  ASSERT_TRUE(small.ok()) << small.error().to_string();
  EXPECT_EQ(*small->architecture(), "llama");
  EXPECT_EQ(*small->integer("llama.block_count"), 30u);
  EXPECT_EQ(*small->integer("llama.embedding_length"), 576u);
  EXPECT_EQ(small->tensors().size(), 272u);
  EXPECT_EQ(small->find("token_embd.weight")->rows(), 49152u);
  const auto gemma = GgufFile::open(models / "gemma3-270m-q4_k_m.gguf");
  ASSERT_TRUE(gemma.ok()) << gemma.error().to_string();
  EXPECT_EQ(*gemma->architecture(), "gemma3");
}

}  // namespace
}  // namespace llmpatch
