#include "runtime/stop_matcher.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(StopMatcher, ShowsTextThatCannotBeginAStop) {
  StopMatcher matcher({"\n\n", "END"});
  EXPECT_EQ(matcher.push("one "), "one ");
  EXPECT_EQ(matcher.push("two\n"), "two");
  EXPECT_EQ(matcher.push("three E"), "\nthree ");
  EXPECT_EQ(matcher.push("N"), "");
  EXPECT_EQ(matcher.push("E"), "EN");
  EXPECT_FALSE(matcher.found());
  EXPECT_EQ(matcher.finish(), "E");
}

TEST(StopMatcher, NeverShowsAStopNorWhatFollows) {
  StopMatcher matcher({"END"});
  EXPECT_EQ(matcher.push("text E"), "text ");
  EXPECT_EQ(matcher.push("ND more"), "");
  EXPECT_TRUE(matcher.found());
  EXPECT_EQ(matcher.push("again"), "");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, TheFirstOfSeveralCounts) {
  StopMatcher matcher({"late", "early"});
  EXPECT_EQ(matcher.push("an early and a late one"), "an ");
  EXPECT_TRUE(matcher.found());
}

// The end of one attempt may be the beginning of the next.
TEST(StopMatcher, FindsAStopThatOverlapsItself) {
  StopMatcher matcher({"aab"});
  EXPECT_EQ(matcher.push("aa"), "");
  EXPECT_EQ(matcher.push("a"), "a");
  EXPECT_EQ(matcher.push("b"), "");
  EXPECT_TRUE(matcher.found());
}

TEST(StopMatcher, GivesTheSameTextHoweverItIsCut) {
  const std::string text = "abcabcabdabcabe";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    StopMatcher matcher({"abcabd", "xyz"});
    std::string shown;
    for (std::size_t i = 0; i < text.size(); i += size) shown += matcher.push(text.substr(i, size));
    shown += matcher.finish();
    EXPECT_TRUE(matcher.found()) << size;
    EXPECT_EQ(shown, "abc") << size;
  }
}

TEST(StopMatcher, WithoutStopsShowsEverythingAtOnce) {
  StopMatcher matcher({});
  EXPECT_EQ(matcher.push("any"), "any");
  EXPECT_EQ(matcher.finish(), "");
}

}  // namespace
}  // namespace llmpatch
