#include "serve/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <string>

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

TEST(Workers, TenantsTakeTurns) {
  std::mutex mutex;
  std::string order;
  const auto note = [&](char who) {
    const std::lock_guard lock(mutex);
    order += who;
  };
  Workers workers(1);
  std::promise<void> all_posted;
  workers.post([&] { all_posted.get_future().wait(); });
  for (int i = 0; i < 4; ++i) workers.post("a", [&] { note('a'); });
  for (int i = 0; i < 2; ++i) workers.post("b", [&] { note('b'); });
  all_posted.set_value();
  workers.close();
  EXPECT_EQ(order, "ababaa");
}

}  // namespace
}  // namespace llmpatch
