#include "base/join.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(Join, PutsSeparatorsBetweenPartsAlone) {
  EXPECT_EQ(join({}, ", "), "");
  EXPECT_EQ(join({"a"}, ", "), "a");
  EXPECT_EQ(join({"a", "", "b"}, "; "), "a; ; b");
}

}  // namespace
}  // namespace llmpatch
