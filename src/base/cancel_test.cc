#include "base/cancel.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(Cancel, NoFlagOrALoweredOneGoesOn) {
  const CancelFlag flag;
  EXPECT_TRUE(check_cancelled(nullptr, "sample").ok());
  EXPECT_TRUE(check_cancelled(&flag, "sample").ok());
}

TEST(Cancel, ARaisedFlagNamesTheWorkThatStops) {
  CancelFlag flag;
  flag.raise();
  for (int look = 0; look < 2; ++look) {  // it stays raised
    const Status status = check_cancelled(&flag, "sample");
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::kCancelled);
    EXPECT_EQ(status.error().where, "sample");
  }
}

TEST(Cancel, ASignalHandlerMayRaiseIt) { EXPECT_TRUE(std::atomic<bool>::is_always_lock_free); }

}  // namespace
}  // namespace llmpatch
