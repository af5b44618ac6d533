#include "patch/expiry.h"

#include <gtest/gtest.h>

#include "patch/names.h"

namespace llmpatch {
namespace {

constexpr std::time_t kNewYear = 1798761600;  // date -u -d 2027-01-01 +%s

TEST(UtcText, IsTheFormOfTimesInManifests) {
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(utc_text(kNewYear - 1), "2026-12-31T23:59:59Z");
  EXPECT_TRUE(is_utc_time(utc_text(kNewYear)));
}

TEST(HasExpired, FromThatMomentOn) {
  Manifest manifest;
  EXPECT_FALSE(has_expired(manifest, kNewYear));
  manifest.expires = "2027-01-01T00:00:00Z";
  EXPECT_FALSE(has_expired(manifest, kNewYear - 1));
  EXPECT_TRUE(has_expired(manifest, kNewYear));
}

}  // namespace
}  // namespace llmpatch
