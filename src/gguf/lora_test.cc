#include "gguf/lora.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "base/file_digest.h"
#include "gguf/dequantize.h"
#include "gguf/gguf_test_file.h"
#include "gguf/merge.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// Of a matrix of 2 outputs and 3 inputs, with rank 2: what is added is 3 b . a.
Lora small_lora() {
  Lora lora;
  lora.architecture = "llama";
  lora.alpha = 6;
  lora.matrices.push_back({"blk.0.attn_q.weight", 3, 2, 2, {1, 2, 3, 4, 5, 6}, {1, 0, 2, -1}});
  return lora;
}

// A file with the keys of an adapter, and tensors of its own.
GgufTestFile adapter_file(const std::string& type = "adapter", const std::string& kind = "lora") {
  GgufTestFile file;
  file.text("general.architecture", "llama");
  file.text("general.type", type);
  file.text("adapter.type", kind);
  file.f32("adapter.lora.alpha", 6);
  return file;
}

Result<Lora> read(const GgufTestFile& file) {
  LLMPATCH_ASSIGN(const GgufFile opened, open_gguf(file.bytes()));
  return lora_from_gguf(opened);
}

// The model of small_lora's matrix, and something else.
GgufTestFile model_file(const std::string& architecture = "llama", std::uint64_t inputs = 3) {
  GgufTestFile file;
  file.text("general.architecture", architecture);
  file.floats("token_embd.weight", {2}, {7, 8});
  std::vector<float> weights(2 * inputs);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(10 * i);
  file.floats("blk.0.attn_q.weight", {inputs, 2}, weights);
  return file;
}

TEST(LoraFile, ComesBackAsItWasWritten) {
  const Lora lora = small_lora();
  const auto file = open_gguf(lora_to_gguf(lora));
  ASSERT_TRUE(file.ok()) << file.error().to_string();
  // libllama's shapes: ne of lora_a is [inputs, rank], of lora_b [rank, outputs].
  const GgufTensor* down = file->find("blk.0.attn_q.weight.lora_a");
  const GgufTensor* up = file->find("blk.0.attn_q.weight.lora_b");
  ASSERT_TRUE(down != nullptr && up != nullptr);
  EXPECT_EQ(std::pair(down->ne[0], down->ne[1]), std::pair(3UL, 2UL));
  EXPECT_EQ(std::pair(up->ne[0], up->ne[1]), std::pair(2UL, 2UL));
  const auto again = lora_from_gguf(*file);
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  EXPECT_EQ(again->architecture, "llama");
  EXPECT_EQ(again->alpha, 6);
  ASSERT_EQ(again->matrices.size(), 1U);
  EXPECT_EQ(again->matrices[0].a, lora.matrices[0].a);
  EXPECT_EQ(again->matrices[0].b, lora.matrices[0].b);
  EXPECT_EQ(again->scale(again->matrices[0]), 3);
  EXPECT_EQ(lora_to_gguf(*again), lora_to_gguf(lora));
}

TEST(LoraFile, RefusesWhatIsNoAdapterOfThisKind) {
  const std::vector<float> six(6, 1.F), four(4, 1.F);
  const auto with = [&](GgufTestFile file, const std::string& name, std::uint64_t rank) {
    file.floats(name + ".lora_a", {3, 2}, six);
    file.floats(name + ".lora_b", {rank, 4 / rank}, four);
    return file;
  };
  const std::string matrix = "blk.0.attn_q.weight";
  EXPECT_TRUE(read(with(adapter_file(), matrix, 2)).ok());

  GgufTestFile waiting = with(adapter_file(), matrix, 2);
  waiting.array("adapter.alora.invocation_tokens", 4, 1, little_endian<std::uint32_t>(1));
  GgufTestFile half = adapter_file();
  half.floats(matrix + ".lora_a", {3, 2}, six);
  GgufTestFile norm = with(adapter_file(), matrix, 2);
  norm.floats("blk.0.attn_norm.weight", {4}, four);
  GgufTestFile infinite = adapter_file();
  infinite.floats(matrix + ".lora_a", {3, 2}, six);
  infinite.floats(matrix + ".lora_b", {2, 2}, {1, 1, std::numeric_limits<float>::infinity(), 1});
  GgufTestFile plain;
  plain.text("general.architecture", "llama");

  const struct {
    GgufTestFile file;
    ErrorKind kind;
    const char* says;
  } cases[] = {
      {plain, ErrorKind::kUnsupported, "general.type: found no such key"},
      {with(adapter_file("model"), matrix, 2), ErrorKind::kUnsupported, "general.type"},
      {with(adapter_file("adapter", "ia3"), matrix, 2), ErrorKind::kUnsupported, "adapter.type"},
      {waiting, ErrorKind::kUnsupported, "certain tokens"},
      {adapter_file(), ErrorKind::kCorrupt, "no tensor"},
      {half, ErrorKind::kCorrupt, "one factor"},
      {norm, ErrorKind::kUnsupported, "attn_norm"},
      {with(adapter_file(), matrix, 4), ErrorKind::kCorrupt, "ranks 2 and 4"},
      {with(adapter_file(), "token_embd.weight", 2), ErrorKind::kUnsupported, "embedding"},
      {infinite, ErrorKind::kCorrupt, "not finite"},
  };
  for (const auto& each : cases) {
    const auto found = read(each.file);
    ASSERT_FALSE(found.ok()) << each.says;
    EXPECT_EQ(found.error().kind, each.kind) << found.error().to_string();
    EXPECT_NE(found.error().message.find(each.says), std::string::npos)
        << found.error().to_string();
  }
}

TEST(LoraFile, BelongsToAModelWithItsMatrices) {
  const Lora lora = small_lora();
  const auto check = [&](const GgufTestFile& file) {
    return check_lora(lora, open_gguf(file.bytes()).value());
  };
  EXPECT_TRUE(check(model_file()).ok());
  EXPECT_EQ(check(model_file("gemma3")).error().kind, ErrorKind::kMismatch);
  EXPECT_EQ(check(model_file("llama", 4)).error().kind, ErrorKind::kMismatch);
  GgufTestFile other;
  other.text("general.architecture", "llama");
  EXPECT_EQ(check(other).error().kind, ErrorKind::kMismatch);
}

class Merge : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("merge_test_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    out_ = folder_ / "merged.gguf";
  }
  void TearDown() override { fs::remove_all(folder_); }

  Status merge(const GgufFile& model, const Lora& lora, MergedType type,
               Overwrite overwrite = Overwrite::kNo, const CancelFlag* cancel = nullptr) const {
    return merge_lora(model, lora, std::string(64, 'a'), type, out_, overwrite, cancel);
  }
  std::vector<float> values(const char* name) const {
    const auto file = GgufFile::open(out_);
    EXPECT_TRUE(file.ok()) << file.error().to_string();
    const GgufTensor* tensor = file->find(name);
    std::vector<float> found(tensor->elements());
    EXPECT_TRUE(dequantize_rows(*tensor, 0, tensor->rows(), found).ok());
    return found;
  }

  fs::path folder_, out_;
};

TEST_F(Merge, AddsTheScaledProductToTheMatrixAlone) {
  const auto model = open_gguf(model_file().bytes());
  // 3 b . a with b = [[1, 0], [2, -1]] and a = [[1, 2, 3], [4, 5, 6]]:
  // [[3, 6, 9], [-6, -3, 0]] on [[0, 10, 20], [30, 40, 50]].
  const std::vector<float> expected = {3, 16, 29, 24, 37, 50};
  for (const MergedType type : {MergedType::kF32, MergedType::kF16}) {
    ASSERT_TRUE(merge(*model, small_lora(), type, Overwrite::kYes).ok());
    EXPECT_EQ(values("blk.0.attn_q.weight"), expected);  // small integers: exact in F16
    EXPECT_EQ(values("token_embd.weight"), (std::vector<float>{7, 8}));
    const auto merged = GgufFile::open(out_);
    EXPECT_EQ(merged->find("blk.0.attn_q.weight")->type, type == MergedType::kF16 ? 1 : 0);
    EXPECT_EQ(merged->find("token_embd.weight")->type, 0);
  }
  const std::string first = sha256_of_file(out_, "merged").value();
  ASSERT_TRUE(merge(*model, small_lora(), MergedType::kF16, Overwrite::kYes).ok());
  EXPECT_EQ(sha256_of_file(out_, "merged").value(), first);
}

TEST_F(Merge, RefusesASecondTimeAndWritesNothingWhereItFails) {
  const auto model = open_gguf(model_file().bytes());
  ASSERT_TRUE(merge(*model, small_lora(), MergedType::kF32).ok());
  EXPECT_EQ(merge(*model, small_lora(), MergedType::kF32).error().kind, ErrorKind::kExists);
  const auto merged = GgufFile::open(out_);
  EXPECT_EQ(merge(*merged, small_lora(), MergedType::kF32, Overwrite::kYes).error().kind,
            ErrorKind::kInvalidArgument);
  fs::remove(out_);

  Lora large = small_lora();
  large.matrices[0].b[0] = 1e5F;
  const Status overflow = merge(*model, large, MergedType::kF16);
  ASSERT_FALSE(overflow.ok());
  EXPECT_EQ(overflow.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_TRUE(merge(*model, large, MergedType::kF32).ok());
  fs::remove(out_);

  CancelFlag cancel;
  cancel.raise();
  EXPECT_EQ(merge(*model, small_lora(), MergedType::kF32, Overwrite::kNo, &cancel).error().kind,
            ErrorKind::kCancelled);
  Lora other = small_lora();
  other.matrices[0].name = "blk.1.attn_q.weight";
  EXPECT_EQ(merge(*model, other, MergedType::kF32).error().kind, ErrorKind::kMismatch);
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace llmpatch
