#include "base/quote.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(Quote, MakesAnyTextPrintableAndShort) {
  EXPECT_EQ(quote("plain"), "\"plain\"");
  EXPECT_EQ(quote("a\nb\x7f"), "\"a\\nb\\u007f\"");
  EXPECT_EQ(quote("\xff"), "\"\\ufffd\"");
  EXPECT_EQ(quote(std::string(65, 'a')), "\"" + std::string(64, 'a') + "...\"");
  EXPECT_EQ(quote("abcd", 3), "\"abc...\"");
}

}  // namespace
}  // namespace llmpatch
