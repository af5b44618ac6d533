#include "patch/stack.h"

#include <gtest/gtest.h>

#include "patch/test_patch.h"

namespace llmpatch {
namespace {

Manifest named(const char* name, const char* version, std::vector<std::string> required = {},
               std::vector<std::string> conflicts = {}) {
  Manifest manifest = small_patch().manifest;
  manifest.name = name;
  manifest.version = version;
  manifest.required = std::move(required);
  manifest.compose.conflicts = std::move(conflicts);
  return manifest;
}

TEST(Stack, OfPatchesThatSayNothingAboutEachOther) {
  EXPECT_TRUE(check_stack({}).ok());
  EXPECT_TRUE(check_stack({named("a", "1.0.0"), named("b", "1.0.0", {}, {"c"})}).ok());
}

TEST(Stack, RefusesANameTwiceAndWhatOneExcludes) {
  expect_error(check_stack({named("a", "1.0.0"), named("a", "2.0.0")}), ErrorKind::kInvalidArgument,
               "patch a: found twice");
  const Manifest a = named("a", "1.0.0", {}, {"b"}), b = named("b", "1.0.0");
  expect_error(check_stack({a, b}), ErrorKind::kMismatch, "patch a 1.0.0: excludes patch b");
  expect_error(check_stack({b, a}), ErrorKind::kMismatch, "patch a 1.0.0: excludes patch b");
}

TEST(Stack, RefusesWhatLacksARequirement) {
  const Manifest a = named("a", "1.0.0", {"b@^1.2.0", "c"});
  const Manifest c = named("c", "0.1.0");
  expect_error(check_stack({a, c}), ErrorKind::kMismatch,
               "patch a 1.0.0: requires b@^1.2.0: found none");
  expect_error(check_stack({a, c, named("b", "2.0.0")}), ErrorKind::kMismatch,
               "requires b@^1.2.0: found 2.0.0");
  expect_error(check_stack({a, named("b", "1.2.0")}), ErrorKind::kMismatch,
               "requires c: found none");
  EXPECT_TRUE(check_stack({a, c, named("b", "1.9.0")}).ok());
}

}  // namespace
}  // namespace llmpatch
