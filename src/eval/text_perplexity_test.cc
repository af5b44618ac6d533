#include "eval/text_perplexity.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(WindowStarts, WholeWindowsOrAllThereIs) {
  EXPECT_EQ(window_starts(10, 4), (std::vector<std::size_t>{0, 4}));
  EXPECT_EQ(window_starts(8, 4), (std::vector<std::size_t>{0, 4}));
  EXPECT_EQ(window_starts(3, 4), (std::vector<std::size_t>{0}));
  EXPECT_TRUE(window_starts(1, 4).empty());
}

}  // namespace
}  // namespace llmpatch
