#include "base/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

namespace llmpatch {
namespace {

TEST(UsableCores, IsOneForAThreadKeptToOneProcessor) {
  int found = 0;
  bool kept = false;
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(::sched_getcpu(), &one);
    kept = ::sched_setaffinity(0, sizeof one, &one) == 0;
    found = usable_cores();
  }).join();
  ASSERT_TRUE(kept);
  EXPECT_EQ(found, 1);
}

}  // namespace
}  // namespace llmpatch
