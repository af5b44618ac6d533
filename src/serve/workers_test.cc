#include "serve/workers.h"

#include <gtest/gtest.h>

#include <atomic>

namespace llmpatch {
namespace {

TEST(Workers, DoWhatWasPostedBeforeTheyClose) {
  std::atomic<int> done = 0;
  Workers workers(3);
  for (int i = 0; i < 100; ++i) workers.post([&] { ++done; });
  workers.close();
  EXPECT_EQ(done, 100);
  workers.post([&] { ++done; });
  workers.close();
  EXPECT_EQ(done, 100);
}

TEST(Workers, ATaskMayPostAnother) {
  std::atomic<int> done = 0;
  Workers last(1), first(1);
  first.post([&] { last.post([&] { ++done; }); });
  first.close();
  last.close();
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace llmpatch
