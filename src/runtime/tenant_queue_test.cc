#include "runtime/tenant_queue.h"

#include <gtest/gtest.h>

#include <memory>

namespace llmpatch {
namespace {

std::string drain(TenantQueue<std::string>& queue) {
  std::string order;
  while (!queue.empty()) order += queue.pop() + " ";
  return order;
}

TEST(TenantQueue, KeepsTheOrderWithinATenant) {
  TenantQueue<std::string> queue;
  for (const char* item : {"1", "2", "3"}) queue.push("a", item);
  EXPECT_EQ(queue.size(), 3u);
  EXPECT_EQ(queue.front(), "1");
  EXPECT_EQ(drain(queue), "1 2 3 ");
}

TEST(TenantQueue, LetsTenantsTakeTurns) {
  TenantQueue<std::string> queue;
  for (const char* item : {"a1", "a2", "a3", "a4"}) queue.push("a", item);
  queue.push("b", "b1");
  queue.push("c", "c1");
  queue.push("b", "b2");
  EXPECT_EQ(drain(queue), "a1 b1 c1 a2 b2 a3 a4 ");
}

TEST(TenantQueue, ALateTenantWaitsOneTurnOnly) {
  TenantQueue<std::string> queue;
  for (const char* item : {"a1", "a2", "a3"}) queue.push("a", item);
  EXPECT_EQ(queue.pop(), "a1");
  queue.push("b", "b1");
  EXPECT_EQ(drain(queue), "a2 b1 a3 ");
}

TEST(TenantQueue, GivesWhatComesLaterInTheOrderOfTurns) {
  TenantQueue<std::string> queue;
  for (const char* tenant : {"a", "b", "c"}) {
    queue.push(tenant, tenant + std::string("1"));
    queue.push(tenant, tenant + std::string("2"));
  }
  EXPECT_EQ(queue.tenants(), 3u);
  EXPECT_EQ(queue.front(1), "b1");
  EXPECT_EQ(queue.pop(1), "b1");
  EXPECT_EQ(queue.front(1), "c1");
  EXPECT_EQ(drain(queue), "a1 c1 b2 a2 c2 ");
}

TEST(TenantQueue, TakesOutWhatIsNotWanted) {
  TenantQueue<std::string> queue;
  for (const char* item : {"a1", "a2", "a3"}) queue.push("a", item);
  queue.push("b", "b1");
  const auto taken =
      queue.take_if([](const std::string& item) { return item == "a2" || item == "b1"; });
  EXPECT_EQ(taken, (std::vector<std::string>{"a2", "b1"}));
  EXPECT_EQ(drain(queue), "a1 a3 ");
}

TEST(TenantQueue, HoldsWhatCannotBeCopied) {
  TenantQueue<std::unique_ptr<int>> queue;
  queue.push("a", std::make_unique<int>(7));
  EXPECT_TRUE(queue.take_if([](const std::unique_ptr<int>& item) { return *item == 8; }).empty());
  EXPECT_EQ(*queue.pop(), 7);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace llmpatch
