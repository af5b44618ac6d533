#include "api/test_api.h"

namespace llmpatch {
namespace {

TEST(BaseModel, KnowsItsPatches) {
  const auto base = BaseModel::open(tiny_model_path());
  ASSERT_TRUE(base.ok()) << base.error().to_string();
  EXPECT_EQ(base->architecture(), "llama");
  EXPECT_EQ(base->vocabulary(), tiny_model().n_vocab());
  Vendor vendor;
  const Rows rows = rows_of(letters(2, 1));
  EXPECT_EQ(base->match(vendor.make("a", rows))->verdict, IdentityVerdict::kExact);
  const SafetyPatch other = vendor.make(
      "b", rows, [](Patch& patch) { patch.manifest.base = small_patch().manifest.base; });
  const auto match = base->match(other);
  ASSERT_TRUE(match.ok()) << match.error().to_string();
  EXPECT_EQ(match->verdict, IdentityVerdict::kDifferent);
  EXPECT_EQ(verdict_name(match->verdict), "different");
  EXPECT_NE(match->reason, "");
}

TEST(BaseModel, ThatDoesNotFitItsOwnRecordIsCorrupt) {
  Vendor vendor;
  const SafetyPatch patch = vendor.make("a", rows_of(letters(2, 1)), [](Patch& made) {
    made.manifest.base.file = std::string(64, '0');
    made.manifest.base.sample.pop_back();
  });
  expect_error(tiny_base().match(patch), ErrorKind::kCorrupt, "stretches");
}

TEST(BaseModel, IsRefusedWhereLibllamaWouldAbort) {
  TestDirectory directory;
  expect_error(BaseModel::open(directory / "gone.gguf"), ErrorKind::kNotFound, "gone.gguf");
  write_raw(directory / "text.gguf", "no model");
  expect_error(BaseModel::open(directory / "text.gguf"), ErrorKind::kCorrupt, "text.gguf");
  GgufTestFile empty;
  empty.text("general.architecture", "llama");
  write_raw(directory / "empty.gguf", empty.bytes());
  expect_error(BaseModel::open(directory / "empty.gguf"), ErrorKind::kCorrupt, "block_count");
}

}  // namespace
}  // namespace llmpatch
