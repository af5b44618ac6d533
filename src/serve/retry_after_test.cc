#include "serve/retry_after.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

using std::chrono::seconds;

TEST(RetryAfter, IsASecondBeforeAnyAnswer) {
  EXPECT_EQ(RetryAfter(
                4, [] { return 100; }, seconds(600))
                .seconds(),
            1);
}

TEST(RetryAfter, IsHowLongThoseThatWaitTake) {
  int waiting = 0;
  RetryAfter after(
      4, [&] { return waiting; }, seconds(600));
  after.note(3);
  EXPECT_EQ(after.seconds(), 1);
  waiting = 1;
  EXPECT_EQ(after.seconds(), 1);
  waiting = 8;  // two times three seconds
  EXPECT_EQ(after.seconds(), 6);
  waiting = 9;  // 6.75
  EXPECT_EQ(after.seconds(), 7);
}

TEST(RetryAfter, FollowsWhatAnswersTake) {
  RetryAfter after(
      1, [] { return 10; }, seconds(600));
  after.note(1);
  EXPECT_EQ(after.seconds(), 10);
  after.note(1.5);  // the mean is 1 + (1.5 - 1) / 10
  EXPECT_EQ(after.seconds(), 11);
  for (int i = 0; i < 200; ++i) after.note(4);
  EXPECT_EQ(after.seconds(), 40);
  for (int i = 0; i < 200; ++i) after.note(0.25);
  EXPECT_EQ(after.seconds(), 3);
}

TEST(RetryAfter, IsAMinuteOrARequestsTimeAtTheMost) {
  RetryAfter after(
      1, [] { return 1000; }, seconds(600));
  after.note(100);
  EXPECT_EQ(after.seconds(), 60);
  after.set_longest(seconds(20));
  EXPECT_EQ(after.seconds(), 20);
  after.set_longest(seconds(0));
  EXPECT_EQ(after.seconds(), 1);
  after.set_longest(seconds(61));
  EXPECT_EQ(after.seconds(), 60);
}

}  // namespace
}  // namespace llmpatch
