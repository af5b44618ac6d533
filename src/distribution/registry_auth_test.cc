#include "distribution/registry_auth.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(Challenge, HasASchemeAndValues) {
  const auto bearer = parse_challenge(
      R"(Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push")");
  ASSERT_TRUE(bearer.ok()) << bearer.error().to_string();
  EXPECT_EQ(bearer->scheme, "bearer");
  EXPECT_EQ(bearer->values.at("realm"), "https://auth.example/token");
  EXPECT_EQ(bearer->values.at("service"), "registry");
  EXPECT_EQ(bearer->values.at("scope"), "repository:a/b:pull,push");
  const auto basic = parse_challenge(R"(  BASIC  Realm = "a \"b\" c" , charset=UTF-8)");
  ASSERT_TRUE(basic.ok()) << basic.error().to_string();
  EXPECT_EQ(basic->scheme, "basic");
  EXPECT_EQ(basic->values.at("realm"), "a \"b\" c");
  EXPECT_EQ(basic->values.at("charset"), "UTF-8");
}

TEST(Challenge, IsTheBestOfSeveral) {
  const auto best = parse_challenge(R"(Negotiate, Basic realm="a", Bearer realm="b", scope="c,d")");
  ASSERT_TRUE(best.ok()) << best.error().to_string();
  EXPECT_EQ(best->scheme, "bearer");
  EXPECT_EQ(best->values.at("realm"), "b");
  EXPECT_EQ(best->values.at("scope"), "c,d");
  EXPECT_EQ(parse_challenge(R"(Negotiate, Basic realm="a")")->scheme, "basic");
  EXPECT_EQ(parse_challenge("Negotiate")->scheme, "negotiate");
}

TEST(Challenge, RefusesWhatIsNone) {
  for (const char* text : {"", "   ", "=", "\"Basic\"", ",", R"(realm="a")", R"(Basic realm="open)",
                           R"(Basic realm="a" service="b")"}) {
    const auto challenge = parse_challenge(text);
    ASSERT_FALSE(challenge.ok()) << text;
    EXPECT_EQ(challenge.error().kind, ErrorKind::kCorrupt);
  }
}

}  // namespace
}  // namespace llmpatch
