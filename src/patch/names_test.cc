#include "patch/names.h"

#include <gtest/gtest.h>

#include <string>

namespace llmpatch {
namespace {

TEST(PatchName, IsSafeAsAFileName) {
  for (const char* good : {"a", "0", "refuse", "refuse-harm_2.b", "9lives"}) {
    EXPECT_TRUE(is_patch_name(good)) << good;
  }
  for (const char* bad : {"", ".", "..", ".hidden", "-f", "_a", "A", "a b", "a/b", "a\\b", "a@1",
                          "caf\xc3\xa9", "a\n"}) {
    EXPECT_FALSE(is_patch_name(bad)) << bad;
  }
  EXPECT_TRUE(is_patch_name(std::string(64, 'a')));
  EXPECT_FALSE(is_patch_name(std::string(65, 'a')));
  EXPECT_FALSE(is_patch_name(std::string_view("a\0b", 3)));
}

// The examples of semver.org's own grammar page, valid and not.
TEST(SemVer, FollowsTheSpecification) {
  for (const char* good : {"0.0.4", "1.2.3", "10.20.30", "1.1.2-prerelease+meta", "1.0.0-alpha",
                           "1.0.0-alpha.beta.1", "1.0.0-alpha0.valid", "1.0.0-0A.is.legal",
                           "2.0.0+build.1848", "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
                           "1.2.3----RC-SNAPSHOT.12.9.1--.12", "999999999999999999999.0.0"}) {
    EXPECT_TRUE(is_semver(good)) << good;
  }
  for (const char* bad : {"",
                          "1",
                          "1.2",
                          "1.2.3.4",
                          "01.1.1",
                          "1.01.1",
                          "1.1.01",
                          "1.2.3-0123",
                          "1.2.3-0123.0123",
                          "1.1.2+.123",
                          "+invalid",
                          "-invalid",
                          "alpha",
                          "1.0.0-alpha..1",
                          "1.0.0-alpha_beta",
                          "v1.2.3",
                          "1.2-SNAPSHOT",
                          "1.2.3-",
                          "1.2.3+",
                          "1.1.2+meta+meta",
                          " 1.2.3",
                          "1.2.3\n"}) {
    EXPECT_FALSE(is_semver(bad)) << bad;
  }
  EXPECT_FALSE(is_semver("1.0.0-" + std::string(64, 'a')));
}

TEST(PatchReference, IsANameAndAVersion) {
  EXPECT_TRUE(is_patch_reference("refuse@1.0.0"));
  for (const char* bad : {"refuse", "refuse@", "@1.0.0", "refuse@1.0", "a@b@1.0.0"}) {
    EXPECT_FALSE(is_patch_reference(bad)) << bad;
  }
}

TEST(UtcTime, IsADateOfTheCalendar) {
  EXPECT_TRUE(is_utc_time("2028-02-29T00:00:00Z"));
  for (const char* bad :
       {"2027-02-29T00:00:00Z", "2027-13-01T00:00:00Z", "2027-00-01T00:00:00Z",
        "2027-01-01T24:00:00Z", "2027-01-01T00:60:00Z", "2027-01-01T00:00:60Z",
        "2027-01-01T00:00:00", "2027-01-01T00:00:00+00:00", "2027-01-01 00:00:00Z", "2027-01-01",
        "2027-01-01T00:00:00.5Z", "-027-01-01T00:00:00Z", ""}) {
    EXPECT_FALSE(is_utc_time(bad)) << bad;
  }
}

}  // namespace
}  // namespace llmpatch
