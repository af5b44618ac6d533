#include "patch/semver.h"

#include <gtest/gtest.h>

#include "patch/test_patch.h"

namespace llmpatch {
namespace {

TEST(Semver, OrdersAsTheSpecificationDoes) {
  // The chain of SemVer 2.0.0, item 11, and numbers that no integer holds.
  const char* ordered[] = {"0.9.9",
                           "1.0.0-alpha",
                           "1.0.0-alpha.1",
                           "1.0.0-alpha.beta",
                           "1.0.0-beta",
                           "1.0.0-beta.2",
                           "1.0.0-beta.11",
                           "1.0.0-rc.1",
                           "1.0.0",
                           "1.0.10",
                           "1.2.0",
                           "1.10.0",
                           "2.0.0",
                           "99999999999999999999.0.0",
                           "100000000000000000000.0.0"};
  for (std::size_t i = 0; i < std::size(ordered); ++i) {
    for (std::size_t j = 0; j < std::size(ordered); ++j) {
      const int order = compare_semver(ordered[i], ordered[j]);
      EXPECT_EQ(order < 0, i < j) << ordered[i] << " " << ordered[j];
      EXPECT_EQ(order > 0, i > j) << ordered[i] << " " << ordered[j];
    }
  }
  EXPECT_EQ(compare_semver("1.0.0+linux", "1.0.0+other.1"), 0);
}

TEST(Semver, CaretKeepsTheLeftmostNumberThatIsNotZero) {
  const auto in = [](const char* from, const char* version) {
    return in_caret_range(version, from);
  };
  for (const char* version : {"1.2.3", "1.2.4", "1.3.0", "1.99.99", "1.2.3+build"}) {
    EXPECT_TRUE(in("1.2.3", version)) << version;
  }
  for (const char* version : {"1.2.2", "2.0.0", "0.9.0", "1.2.3-rc.1", "1.3.0-rc.1", "11.2.3"}) {
    EXPECT_FALSE(in("1.2.3", version)) << version;
  }
  EXPECT_TRUE(in("0.2.3", "0.2.9"));
  EXPECT_FALSE(in("0.2.3", "0.3.0"));
  EXPECT_TRUE(in("0.0.3", "0.0.3"));
  EXPECT_FALSE(in("0.0.3", "0.0.4"));
  EXPECT_FALSE(in("0.0.0", "0.0.1"));
  EXPECT_TRUE(in("1.0.0-rc.1", "1.0.0-rc.2"));
  EXPECT_TRUE(in("1.0.0-rc.1", "1.0.0"));
  EXPECT_FALSE(in("1.0.0-rc.1", "1.1.0-rc.2"));
}

TEST(Requirement, IsANameAnExactVersionOrARange) {
  const auto met = [](const char* requirement, const char* name, const char* version) {
    return parse_requirement(requirement).value().is_met_by(name, version);
  };
  EXPECT_TRUE(met("gender", "gender", "0.0.1-rc.1"));
  EXPECT_FALSE(met("gender", "genders", "1.0.0"));
  EXPECT_TRUE(met("gender@1.2.3", "gender", "1.2.3"));
  EXPECT_FALSE(met("gender@1.2.3", "gender", "1.2.4"));
  EXPECT_FALSE(met("gender@1.2.3", "gender", "1.2.3+other"));
  EXPECT_TRUE(met("gender@^1.2.3", "gender", "1.4.0"));
  EXPECT_FALSE(met("gender@^1.2.3", "gender", "2.0.0"));
  for (const char* bad :
       {"", "@1.0.0", "Gender", "gender@", "gender@1", "gender@^", "gender@>1.0.0",
        "gender@^1.0.0 ", "gender@1.0.0@1.0.0", "gender ^1.0.0"}) {
    EXPECT_FALSE(is_requirement(bad)) << bad;
    expect_error(parse_requirement(bad), ErrorKind::kInvalidArgument, "expected name");
  }
}

}  // namespace
}  // namespace llmpatch
