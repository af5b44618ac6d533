#include "learn/examples.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(SpreadPlaces, AreEvenAndAtMostAsManyAsThereAre) {
  EXPECT_EQ(spread_places(10, 4), (std::vector<std::size_t>{0, 2, 5, 7}));
  EXPECT_EQ(spread_places(3, 4), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_TRUE(spread_places(0, 4).empty());
}

TEST(CutAnswer, KeepsAtMostSoManyTokensAndAllForZero) {
  Tokens answer = {4, 5, 6};
  cut_answer(answer, 0);
  EXPECT_EQ(answer, (Tokens{4, 5, 6}));
  cut_answer(answer, 5);
  EXPECT_EQ(answer, (Tokens{4, 5, 6}));
  cut_answer(answer, 2);
  EXPECT_EQ(answer, (Tokens{4, 5}));
}

}  // namespace
}  // namespace llmpatch
