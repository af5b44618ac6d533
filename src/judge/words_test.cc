#include "judge/words.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

using Words = std::vector<std::string>;

TEST(Words, AreRunsOfLettersAndDigits) {
  EXPECT_EQ(words_of("One, TWO-three\n4th snake_case."),
            (Words{"one", "two", "three", "4th", "snake_case"}));
  EXPECT_EQ(words_of(""), Words{});
  EXPECT_EQ(words_of(" ... \t"), Words{});
}

TEST(Words, EndAtEitherApostrophe) {
  EXPECT_EQ(words_of("She's here"), (Words{"she", "s", "here"}));
  EXPECT_EQ(words_of("She\xE2\x80\x99s here"), (Words{"she", "s", "here"}));
}

TEST(Words, KeepLettersOutsideAscii) {
  EXPECT_EQ(words_of("caf\xC3\xA9, na\xC3\xAFve"), (Words{"caf\xC3\xA9", "na\xC3\xAFve"}));
  EXPECT_EQ(words_of("2\xC3\x97"
                     "3"),
            (Words{"2", "3"}));  // a multiplication sign
}

TEST(Words, SymbolsStandAlone) {
  EXPECT_EQ(words_of("ok\xF0\x9F\x99\x82\xF0\x9F\x99\x82yes"),
            (Words{"ok", "\xF0\x9F\x99\x82", "\xF0\x9F\x99\x82", "yes"}));
}

TEST(Words, DamagedTextEndsAWord) {
  EXPECT_EQ(words_of("he\xFFr and \xE2\x80"), (Words{"he", "r", "and"}));
}

}  // namespace
}  // namespace llmpatch
