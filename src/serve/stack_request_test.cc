#include "serve/stack_request.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(PatchReference, ReadsNamesVersionsAndRanges) {
  const struct {
    const char *text, *name, *version;
    bool caret;
  } kCases[] = {{"refuse", "refuse", "", false},
                {"refuse@1.2.3", "refuse", "1.2.3", false},
                {"refuse@^1.2.3", "refuse", "1.2.3", true},
                {"refuse@^1", "refuse", "1.0.0", true},
                {"refuse@^1.2", "refuse", "1.2.0", true},
                {"refuse@^0.2", "refuse", "0.2.0", true}};
  for (const auto& each : kCases) {
    const auto parsed = parse_patch_reference(each.text);
    ASSERT_TRUE(parsed.ok()) << each.text;
    EXPECT_EQ(parsed->name, each.name) << each.text;
    EXPECT_EQ(parsed->version, each.version) << each.text;
    EXPECT_EQ(parsed->caret, each.caret) << each.text;
  }
}

TEST(PatchReference, RefusesEverythingElse) {
  for (const char* text : {"", "@1.0.0", "Refuse", "a b", "../a", "a@", "a@^", "a@1", "a@1.2",
                           "a@^0", "a@^0.0", "a@~1.0.0", "a@^1.2.3.4", "a@sha256:00", "a@^.1"}) {
    EXPECT_FALSE(parse_patch_reference(text).ok()) << text;
  }
}

TEST(NamedStack, IsANameAndPatches) {
  const auto parsed = parse_named_stack("safe=a@^1+b");
  ASSERT_TRUE(parsed.ok()) << parsed.error().to_string();
  EXPECT_EQ(parsed->first, "safe");
  ASSERT_EQ(parsed->second.patches.size(), 2U);
  EXPECT_EQ(parsed->second.patches[0].version, "1.0.0");
  EXPECT_FALSE(parsed->second.compose);
  EXPECT_EQ(parse_named_stack("safe=a:parallel")->second.compose, Compose::kParallel);
  for (const char* text :
       {"", "safe", "safe=", "=a", "Safe=a", "safe=a+", "safe=a:beside", "safe=A"}) {
    EXPECT_FALSE(parse_named_stack(text).ok()) << text;
  }
}

TEST(ModelId, NamesThePatchesAfterTheBase) {
  const auto base = parse_model_id("my-model", "my-model");
  ASSERT_TRUE(base);
  EXPECT_TRUE(base->is_base);
  const auto stack = parse_model_id("my-model+a@1.0.0+b", "my-model");
  ASSERT_TRUE(stack);
  EXPECT_FALSE(stack->is_base);
  EXPECT_EQ(stack->patches, (std::vector<std::string>{"a@1.0.0", "b"}));
  EXPECT_EQ(parse_model_id("my-model+", "my-model")->patches, std::vector<std::string>{""});
  EXPECT_FALSE(parse_model_id("my-models", "my-model"));
  EXPECT_FALSE(parse_model_id("other", "my-model"));
}

}  // namespace
}  // namespace llmpatch
