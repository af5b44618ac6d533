#include "base/hex.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(Hex, WritesTwoDigitsAByte) {
  EXPECT_EQ(hex_encode(std::string("\x00\x7f\x80\xff\x0a", 5)), "007f80ff0a");
  EXPECT_EQ(hex_encode(""), "");
}

TEST(Hex, ReadsThatFormAlone) {
  EXPECT_EQ(hex_decode("007f80ff0a"), std::string("\x00\x7f\x80\xff\x0a", 5));
  EXPECT_EQ(hex_decode(""), "");
  for (const char* bad : {"0", "0g", "0A", "0x", " 0", "00 "}) {
    EXPECT_EQ(hex_decode(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace llmpatch
