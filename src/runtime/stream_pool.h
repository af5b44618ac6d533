// The sequences of a split KV cache: each has cells of its own, so what requests have in common is
// copied: the cells of stacks and of prompts kept for reuse wait outside the cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "runtime/cache_pool.h"
#include "runtime/context.h"
#include "runtime/saved_cells.h"

namespace llmpatch {

struct StreamOptions {
  std::size_t streams = 1;     // all sequences of the context; requests that run at a time
  std::size_t stacks = 1;      // stacks whose cells are kept, the least recently used go first
  std::size_t kept_bytes = 0;  // of prompts kept outside the cache
  // Positions of a sliding window, 0 for none: libllama saves no cells beyond it, so longer
  // sequences stay where they are.
  std::size_t window = 0;
};

// Whether cells of the context can be taken apart and put back: decodes a few tokens, takes their
// first half and compares. The context must be empty, and is afterwards. kUnsupported; errors of
// decoding.
Status check_saved_cells(Context& context, std::size_t n_vocab);

// A sequence that was closed keeps its cells until another request needs the place; then they move
// outside. Sequences that run have neighbouring ids where possible, since libllama decodes only
// such in one pass over the weights.
class StreamPool final : public CachePool {
 public:
  StreamPool(Context& context, const StreamOptions& options);

  Result<std::optional<OpenSequence>> open(const OpenRequest& request) override;
  Result<bool> copy(OpenSequence& sequence, const OpenSequence& from, std::size_t n) override;
  void append(OpenSequence& sequence, Token token) override;
  void close(OpenSequence sequence, bool keep) override;
  void drop_retired() override;
  // Closes a gap between running sequences that was there the last time, too.
  void compact(std::span<OpenSequence* const> running) override;

  std::size_t used_cells() const override { return used_; }
  // No sequence takes cells from another.
  CellUse cell_use(std::string_view /*tenant*/) const override { return {}; }
  std::size_t kept() const;  // prompts, in the cache and outside
  std::size_t kept_bytes() const { return saved_bytes_; }
  std::size_t stacks() const { return stacks_.size(); }

 private:
  struct Stream {
    bool open = false;
    std::optional<CachedSequence> kept;  // what a closed one still holds
    std::uint64_t closed = 0;            // when: greater is later
  };
  struct Saved {
    std::shared_ptr<const PrefixStack> stack;
    std::string tenant;
    Tokens tokens;
    SavedCells cells;
  };
  // Where the beginning of a prompt is found.
  struct Found {
    std::size_t tokens = 0;
    std::optional<std::size_t> stream;  // that holds it, closed or not
    const SavedCells* saved = nullptr;
  };

  bool can_be_saved(const CachedSequence& sequence) const;
  Found find(const OpenRequest& request);
  std::optional<std::size_t> choose_place() const;
  Result<SavedCells> save(std::size_t stream);
  void keep(Saved saved);
  void vacate(std::size_t stream);
  Result<SavedCells> stack_cells(const PrefixStack& stack, std::size_t stream);
  Status fill(std::size_t stream, const OpenRequest& request, const Found& found);
  void drop_saved(std::list<Saved>::iterator saved);

  Context& context_;
  StreamOptions options_;
  std::vector<Stream> streams_;
  struct StackCells {
    std::shared_ptr<const PrefixStack> stack;
    SavedCells cells;
  };
  std::list<StackCells> stacks_;  // the one used last comes last
  std::list<Saved> saved_;        // likewise
  std::size_t saved_bytes_ = 0, used_ = 0;
  std::uint64_t clock_ = 0;
  bool gap_ = false;  // whether compact() found one
};

}  // namespace llmpatch
