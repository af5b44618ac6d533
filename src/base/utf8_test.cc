#include "base/utf8.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(Utf8, KnowsUtf8) {
  for (const char* text : {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  for (const char* text :
       {"\xff", "\xc3", "\xe2\x82", "\x80", "\xc0\x80", "a\xf0\x9f\x98", "\xf5\x80\x80\x80"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Utf8, CountsCharactersWhereTheyBegin) {
  EXPECT_EQ(count_characters("a\xc3\xa9\xe2\x82\xac"), 3U);
  // The two halves of one character count once.
  EXPECT_EQ(count_characters("\xe2\x82") + count_characters("\xac"), 1U);
}

}  // namespace
}  // namespace llmpatch
