#include "runtime/cell_ledger.h"

#include <numeric>

namespace llmpatch {

CellLedger::CellLedger(std::size_t cells) : held_(cells), pinned_(cells), free_(cells) {
  std::iota(free_.begin(), free_.end(), 0u);
}

void CellLedger::take(std::size_t n, Cells& cells) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t cell = free_.back();
    free_.pop_back();
    held_[cell] = 1;
    cells.push_back(cell);
  }
}

void CellLedger::hold(std::span<const std::uint32_t> cells) {
  for (const std::uint32_t cell : cells) ++held_[cell];
}

void CellLedger::drop(std::span<const std::uint32_t> cells) {
  for (const std::uint32_t cell : cells) {
    if (--held_[cell] == 0) free_.push_back(cell);
  }
}

std::size_t CellLedger::pin(std::span<const std::uint32_t> cells) {
  const std::size_t before = n_pinned_;
  for (const std::uint32_t cell : cells) {
    if (++pinned_[cell] == 1) ++n_pinned_;
  }
  return n_pinned_ - before;
}

std::size_t CellLedger::unpin(std::span<const std::uint32_t> cells) {
  const std::size_t before = n_pinned_;
  for (const std::uint32_t cell : cells) {
    if (--pinned_[cell] == 0) --n_pinned_;
  }
  return before - n_pinned_;
}

}  // namespace llmpatch
