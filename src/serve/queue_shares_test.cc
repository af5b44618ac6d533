#include "serve/queue_shares.h"

#include <gtest/gtest.h>

#include <vector>

namespace llmpatch {
namespace {

using Tickets = std::vector<std::shared_ptr<QueueShares::Ticket>>;

// Takes single places until it is refused; returns the kind of the refusal.
ErrorKind flood(const std::shared_ptr<QueueShares>& shares, const std::string& tenant,
                Tickets& tickets) {
  for (;;) {
    auto ticket = QueueShares::take(shares, tenant, 1);
    if (!ticket.ok()) return ticket.error().kind;
    tickets.push_back(std::move(*ticket));
  }
}

TEST(QueueShares, OneTenantAloneGetsHalf) {
  const auto shares = QueueShares::create(12);
  Tickets a;
  EXPECT_EQ(flood(shares, "a", a), ErrorKind::kDenied);
  EXPECT_EQ(a.size(), 6u);
}

TEST(QueueShares, LeavesRoomForTheNextWhoeverFloods) {
  const auto shares = QueueShares::create(12);
  Tickets a, b, c;
  flood(shares, "a", a);
  flood(shares, "b", b);
  EXPECT_EQ(b.size(), 3u);  // of the 6 that a left free, until as many are left
  EXPECT_TRUE(QueueShares::take(shares, "c", 1).ok());
  // What a gives back is shared by all, and b keeps what it has.
  a.clear();
  flood(shares, "c", c);
  flood(shares, "a", a);
  flood(shares, "b", b);
  EXPECT_EQ(b.size(), 3u);
  EXPECT_EQ(c.size(), 4u);  // of 9, until as many are left
  EXPECT_EQ(a.size(), 2u);  // of the 5 that c left
  EXPECT_TRUE(QueueShares::take(shares, "d", 1).ok());
}

TEST(QueueShares, AWholeRequestIsTakenOrNone) {
  const auto shares = QueueShares::create(8);
  auto first = QueueShares::take(shares, "a", 3);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(QueueShares::take(shares, "a", 2).error().kind, ErrorKind::kDenied);  // 5 of 8
  EXPECT_TRUE(QueueShares::take(shares, "a", 1).ok());
  EXPECT_EQ(QueueShares::take(shares, "b", 6).error().kind, ErrorKind::kLimit);
  EXPECT_TRUE(QueueShares::take(shares, "b", 5).ok());  // who has none may have all that is left
}

TEST(QueueShares, WithoutKeysTheQueueAloneBounds) {
  const auto shares = QueueShares::create(5);
  Tickets all;
  EXPECT_EQ(flood(shares, "", all), ErrorKind::kLimit);
  EXPECT_EQ(all.size(), 5u);
  all.pop_back();
  EXPECT_TRUE(QueueShares::take(shares, "a", 1).ok());
}

TEST(QueueShares, TicketsOutliveTheirQueue) {
  auto shares = QueueShares::create(2);
  auto ticket = QueueShares::take(shares, "a", 1);
  ASSERT_TRUE(ticket.ok());
  shares.reset();
  ticket->reset();
}

}  // namespace
}  // namespace llmpatch
