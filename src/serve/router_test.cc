#include "serve/router.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

Router make() {
  Router router;
  for (const auto& [method, pattern] : std::vector<std::pair<const char*, const char*>>{
           {"GET", "/"},
           {"GET", "/v1/patches"},
           {"POST", "/v1/patches"},
           {"GET", "/v1/patches/{name}"},
           {"POST", "/v1/patches/{name}/activate"},
           {"DELETE", "/v1/patches/{name}/{version}"}}) {
    router.add({method, pattern, Access::kAnybody, true, {}});
  }
  return router;
}

TEST(Router, FindsTheEndpointAndTheOpenParts) {
  const Router router = make();
  EXPECT_EQ(router.match("GET", "/").endpoint->pattern, "/");
  const auto found = router.match("DELETE", "/v1/patches/refuse/1.0.0%2Bbuild");
  ASSERT_NE(found.endpoint, nullptr);
  EXPECT_EQ(found.values, (PathValues{"refuse", "1.0.0+build"}));
  EXPECT_EQ(router.match("HEAD", "/v1/patches/refuse").endpoint->method, "GET");
}

TEST(Router, SaysWhichMethodsThereAre) {
  const Router router = make();
  const auto other = router.match("PUT", "/v1/patches");
  EXPECT_EQ(other.endpoint, nullptr);
  EXPECT_EQ(other.allowed, "GET, HEAD, POST");
  // Of the pattern that leaves least open alone.
  EXPECT_EQ(router.match("DELETE", "/v1/patches/a/activate").allowed, "POST");
  EXPECT_EQ(router.match("GET", "/v1/patches/a/1.0.0").allowed, "DELETE");
}

TEST(Router, KnowsNoOtherPaths) {
  const Router router = make();
  for (const char* path : {"", "/v1", "/v1/patches/", "/v1/patches/a/b/c", "//", "/../etc/passwd",
                           "/v1/patches/%", "/v1/patches/%zz", "/v1/patches/%00"}) {
    const auto found = router.match("GET", path);
    EXPECT_EQ(found.endpoint, nullptr) << path;
    EXPECT_EQ(found.allowed, "") << path;
  }
}

TEST(Router, DecodesEscapesOnce) {
  EXPECT_EQ(decode_path_part("a%2fb"), "a/b");
  EXPECT_EQ(decode_path_part("a%252fb"), "a%2fb");
  EXPECT_EQ(decode_path_part("%4"), std::nullopt);
  EXPECT_EQ(decode_path_part("a%00"), std::nullopt);
}

}  // namespace
}  // namespace llmpatch
