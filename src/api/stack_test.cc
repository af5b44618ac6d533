#include "api/test_api.h"

namespace llmpatch {
namespace {

class PatchStackTest : public testing::Test {
 protected:
  Result<PatchStack> make(std::vector<SafetyPatch> patches, const StackOptions& options = {}) {
    return PatchStack::make(tiny_base(), std::move(patches), options);
  }

  Vendor vendor_;
  const Rows three_ = rows_of(letters(3, 1)), five_ = rows_of(letters(5, 2));
};

TEST_F(PatchStackTest, KnowsWhatItTakes) {
  const SafetyPatch b = vendor_.make("b", three_), a = vendor_.make("a", five_);
  const auto sequential = make({b, a});
  ASSERT_TRUE(sequential.ok()) << sequential.error().to_string();
  EXPECT_EQ(sequential->compose(), Compose::kSequential);
  EXPECT_EQ(sequential->patches()[0].info().name, "b");
  EXPECT_EQ(sequential->cells(), 8U);
  EXPECT_EQ(sequential->length(), 8U);
  EXPECT_TRUE(sequential->warnings().empty());
  const auto parallel = make({b, a}, {.compose = Compose::kParallel});
  ASSERT_TRUE(parallel.ok()) << parallel.error().to_string();
  EXPECT_EQ(parallel->patches()[0].info().name, "a");
  EXPECT_EQ(parallel->cells(), 8U);
  EXPECT_EQ(parallel->length(), 5U);
}

TEST_F(PatchStackTest, OfPatchesThatDoNotGoTogetherIsRefused) {
  expect_error(make({}), ErrorKind::kInvalidArgument, "found none");
  const SafetyPatch a = vendor_.make("a", three_);
  expect_error(make({a, vendor_.make("a", five_)}), ErrorKind::kInvalidArgument,
               "patch a: found twice");
  const SafetyPatch rival =
      vendor_.make("b", three_, [](Patch& patch) { patch.manifest.compose.conflicts = {"a"}; });
  expect_error(make({a, rival}), ErrorKind::kMismatch, "excludes patch a");
  const SafetyPatch lonely =
      vendor_.make("c", three_, [](Patch& patch) { patch.manifest.required = {"d"}; });
  expect_error(make({a, lonely}), ErrorKind::kMismatch, "requires");
  const SafetyPatch narrow = vendor_.make("e", small_patch().rows);
  expect_error(make({a, narrow}), ErrorKind::kMismatch, "width 4, expected 64");
}

TEST_F(PatchStackTest, ForAnotherModelIsRefused) {
  const SafetyPatch other = vendor_.make(
      "a", three_, [](Patch& patch) { patch.manifest.base = small_patch().manifest.base; });
  expect_error(make({other}, {.accept_unconfirmed = true}), ErrorKind::kMismatch, "Tiny Model");
}

TEST_F(PatchStackTest, ForAnotherQuantisationWarns) {
  // The same weights in a file of another digest.
  const SafetyPatch family = vendor_.make(
      "a", three_, [](Patch& patch) { patch.manifest.base.file = std::string(64, '0'); });
  const auto stack = make({family});
  ASSERT_TRUE(stack.ok()) << stack.error().to_string();
  ASSERT_EQ(stack->warnings().size(), 1U);
  EXPECT_NE(stack->warnings()[0].find("another quantisation"), std::string::npos);
}

TEST_F(PatchStackTest, ForAModelThatCannotBeToldNeedsTheCallersWord) {
  // Recorded as BF16, where the model has the numbers these were cut from.
  const SafetyPatch coarse = vendor_.make("a", three_, [](Patch& patch) {
    patch.manifest.base.file = std::string(64, '0');
    for (SampleStretch& stretch : patch.manifest.base.sample) {
      ASSERT_EQ(stretch.type, "f32");
      std::string upper;
      for (std::size_t i = 0; i < stretch.bytes.size(); i += 4)
        upper += stretch.bytes.substr(i + 2, 2);
      stretch = {"bf16", upper};
    }
  });
  expect_error(make({coarse}), ErrorKind::kMismatch, "may or may not");
  const auto stack = make({coarse}, {.accept_unconfirmed = true});
  ASSERT_TRUE(stack.ok()) << stack.error().to_string();
  ASSERT_EQ(stack->warnings().size(), 1U);
  EXPECT_NE(stack->warnings()[0].find("could not be confirmed"), std::string::npos);
}

TEST_F(PatchStackTest, RepeatsThatAPatchWasNotVerified) {
  LoadOptions options;
  options.allow_unsigned = true;
  const auto patch = SafetyPatch::load(vendor_.write("a", three_), options);
  ASSERT_TRUE(patch.ok()) << patch.error().to_string();
  EXPECT_EQ(make({*patch})->warnings(), std::vector<std::string>{patch->info().warning});
}

}  // namespace
}  // namespace llmpatch
