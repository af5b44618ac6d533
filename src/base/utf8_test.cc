#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace llmpatch {
namespace {

std::vector<char32_t> code_points(std::string_view text) {
  std::vector<char32_t> found;
  while (!text.empty()) found.push_back(take_code_point(text));
  return found;
}

using Points = std::vector<char32_t>;
constexpr char32_t kBad = kReplacementCharacter;

TEST(Utf8, EveryLength) {
  EXPECT_EQ(code_points("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x99\x82"),
            (Points{'a', 0xE9, 0x20AC, 0x1F642}));
  EXPECT_EQ(code_points(std::string_view("\0", 1)), Points{0});
}

TEST(Utf8, FirstAndLastOfEachLength) {
  EXPECT_EQ(code_points("\x7F\xC2\x80\xDF\xBF"), (Points{0x7F, 0x80, 0x7FF}));
  EXPECT_EQ(code_points("\xE0\xA0\x80\xEF\xBF\xBF"), (Points{0x800, 0xFFFF}));
  EXPECT_EQ(code_points("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"), (Points{0x10000, 0x10FFFF}));
}

TEST(Utf8, WhatIsNoCharacterIsReplacedByteByByte) {
  EXPECT_EQ(code_points("\x80z"), (Points{kBad, 'z'}));                // a continuation alone
  EXPECT_EQ(code_points("\xC3"), Points{kBad});                        // cut
  EXPECT_EQ(code_points("\xE2\x82"), (Points{kBad, kBad}));            // cut
  EXPECT_EQ(code_points("\xC3z"), (Points{kBad, 'z'}));                // cut by what follows
  EXPECT_EQ(code_points("\xC0\xAF"), (Points{kBad, kBad}));            // overlong
  EXPECT_EQ(code_points("\xE0\x80\xAF"), (Points{kBad, kBad, kBad}));  // overlong
  EXPECT_EQ(code_points("\xED\xA0\x80"), (Points{kBad, kBad, kBad}));  // a surrogate
  EXPECT_EQ(code_points("\xF4\x90\x80\x80"), (Points{kBad, kBad, kBad, kBad}));  // too large
  EXPECT_EQ(code_points("\xFF\xFE"), (Points{kBad, kBad}));
}

}  // namespace
}  // namespace llmpatch
