#include "runtime/text_stream.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(TextStream, HoldsBackACharacterUntilItIsWhole) {
  TextStream stream;
  EXPECT_EQ(stream.push("a\xE2"), "a");
  EXPECT_EQ(stream.push("\x82"), "");
  EXPECT_EQ(stream.push("\xAC!"), "\xE2\x82\xAC!");
  EXPECT_EQ(stream.push("\xF0\x9F\x98"), "");
  EXPECT_EQ(stream.push("\x80"), "\xF0\x9F\x98\x80");
  EXPECT_EQ(stream.push("\xC3"), "");
  EXPECT_EQ(stream.finish(), "\xC3");
  EXPECT_EQ(stream.finish(), "");
}

TEST(TextStream, DoesNotWaitForBytesThatStartNothing) {
  TextStream stream;
  EXPECT_EQ(stream.push("\x80\x80"), "\x80\x80");
  EXPECT_EQ(stream.push("\xFF"), "\xFF");
  EXPECT_EQ(stream.push("x\x80\x80\x80\x80"), "x\x80\x80\x80\x80");
}

}  // namespace
}  // namespace llmpatch
