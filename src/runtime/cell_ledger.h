// Counts KV cells that sequences share: copying a sequence takes no cell, and a cell is free again
// when the last sequence that has it is gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace llmpatch {

// Names of cells, as the ledger gave them out. They say nothing about places in the cache.
using Cells = std::vector<std::uint32_t>;

// Not thread-safe. What holds a cell keeps it in use; what pins it, too, cannot be evicted.
class CellLedger {
 public:
  explicit CellLedger(std::size_t cells);

  // `n` free cells (there must be as many), appended to `cells` and held once.
  void take(std::size_t n, Cells& cells);
  void hold(std::span<const std::uint32_t> cells);
  void drop(std::span<const std::uint32_t> cells);
  // How many of them nobody else pins.
  std::size_t pin(std::span<const std::uint32_t> cells);
  std::size_t unpin(std::span<const std::uint32_t> cells);

  std::size_t size() const { return held_.size(); }
  std::size_t used() const { return held_.size() - free_.size(); }
  std::size_t pinned() const { return n_pinned_; }
  bool is_pinned(std::uint32_t cell) const { return pinned_[cell] > 0; }

 private:
  std::vector<std::uint32_t> held_, pinned_;  // how often
  Cells free_;
  std::size_t n_pinned_ = 0;
};

}  // namespace llmpatch
