// The bytes that libllama saves a sequence as, taken apart: so that a beginning of a sequence, or
// the cells of several together, can be put into another one.
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace llmpatch {

// Cells of one sequence, outside a cache. Immutable and cheap to copy.
//
// libllama promises no format, so nothing is taken for granted: what does not read as expected to
// the last byte is refused, and a context is asked to take its own cells apart before anything
// relies on it (check_saved_cells).
class SavedCells {
 public:
  SavedCells() = default;
  // What Context::save() gave. kUnsupported when the bytes have another form.
  static Result<SavedCells> parse(std::vector<std::uint8_t> bytes);

  // The bytes for Context::restore().
  std::span<const std::uint8_t> bytes() const;
  // Cells of one layer.
  std::size_t size() const { return cells_; }
  // Those at positions below `end`.
  SavedCells before(llama_pos end) const;
  // All cells of `parts`, which come from contexts with equal options; kUnsupported when they do
  // not fit together.
  static Result<SavedCells> join(std::span<const SavedCells> parts);

  // Whether positions and values are equal, whatever sequence they were in.
  bool operator==(const SavedCells& other) const;

 private:
  // What each cell has one item of, or several that stand apart.
  struct Plane {
    std::size_t head, head_size;  // what says type and size
    std::size_t data;             // [repeat][cells][item] bytes
    std::size_t item, repeat;
  };
  // One cache: models with sliding windows have two.
  struct Block {
    std::uint32_t streams = 0, cells = 0;
    std::size_t meta = 0;    // [cells] of position, number of sequences, sequence
    std::size_t layers = 0;  // whether values are transposed, and how many layers
    std::vector<Plane> planes;
  };
  class Reader;
  static constexpr std::size_t kHead = 8, kMeta = 12, kLayers = 8;

  llama_pos position(const Block& block, std::size_t cell) const;
  template <class Wanted>
  static Result<SavedCells> write(std::span<const SavedCells> parts, const Wanted& wanted);

  std::shared_ptr<const std::vector<std::uint8_t>> bytes_;
  std::vector<Block> blocks_;
  std::size_t cells_ = 0;
};

}  // namespace llmpatch
