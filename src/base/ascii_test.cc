#include "base/ascii.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(AsciiLower, ChangesCapitalsOfAsciiAlone) {
  EXPECT_EQ(ascii_lower("@AZ[`az{ 09"), "@az[`az{ 09");
  EXPECT_EQ(ascii_lower("\xc3\x84"), "\xc3\x84");  // a capital outside ASCII, in UTF-8
  EXPECT_EQ(ascii_lower(""), "");
}

}  // namespace
}  // namespace llmpatch
