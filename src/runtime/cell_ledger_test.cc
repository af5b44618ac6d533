#include "runtime/cell_ledger.h"

#include <gtest/gtest.h>

#include <set>

namespace llmpatch {
namespace {

TEST(CellLedger, GivesOutEachCellOnce) {
  CellLedger ledger(5);
  Cells a, b;
  ledger.take(3, a);
  ledger.take(2, b);
  std::set<std::uint32_t> all(a.begin(), a.end());
  all.insert(b.begin(), b.end());
  EXPECT_EQ(all, (std::set<std::uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(ledger.used(), 5u);
}

TEST(CellLedger, ASharedCellIsFreeWhenItsLastHolderDropsIt) {
  CellLedger ledger(4);
  Cells cells;
  ledger.take(3, cells);
  const std::span<const std::uint32_t> first(cells.data(), 2);
  ledger.hold(first);
  ledger.drop(cells);
  EXPECT_EQ(ledger.used(), 2u);
  ledger.drop(first);
  EXPECT_EQ(ledger.used(), 0u);
  Cells again;
  ledger.take(4, again);
  EXPECT_EQ(ledger.used(), 4u);
}

TEST(CellLedger, CountsAPinnedCellOnce) {
  CellLedger ledger(4);
  Cells cells;
  ledger.take(3, cells);
  EXPECT_EQ(ledger.pinned(), 0u);
  EXPECT_EQ(ledger.pin(cells), 3u);
  EXPECT_EQ(ledger.pin({cells.data(), 1}), 0u);
  EXPECT_EQ(ledger.pinned(), 3u);
  EXPECT_EQ(ledger.unpin(cells), 2u);
  EXPECT_EQ(ledger.pinned(), 1u);
  EXPECT_TRUE(ledger.is_pinned(cells[0]));
  EXPECT_FALSE(ledger.is_pinned(cells[1]));
}

}  // namespace
}  // namespace llmpatch
