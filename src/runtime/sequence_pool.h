// The sequences of a unified KV cache that requests come and go in: prefixes decoded once and
// shared, prompts kept for reuse, and room promised to a request before it begins.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/cache_pool.h"
#include "runtime/cell_ledger.h"
#include "runtime/context.h"
#include "runtime/prefix_table.h"
#include "runtime/prompt_cache.h"

namespace llmpatch {

// How many sequences of each sort the pool has; together at most those of the context.
struct PoolOptions {
  std::size_t open = 1;        // of requests that run
  std::size_t prefixes = 1;    // lists of prefixes that stay decoded; at least the parts of a stack
  std::size_t kept = 0;        // prompts kept for reuse; 0 for models whose sequences cannot be cut
  std::size_t kept_cells = 0;  // of idle prefixes and kept prompts, of which one stays
};

// Not thread-safe. Cells in use and promised never exceed those of the context.
class SequencePool final : public CachePool {
 public:
  SequencePool(Context& context, const PoolOptions& options);

  // Evicts longest unused first, prompts before prefixes.
  Result<std::optional<OpenSequence>> open(const OpenRequest& request) override;
  // Always true.
  Result<bool> copy(OpenSequence& sequence, const OpenSequence& from, std::size_t n) override;
  void append(OpenSequence& sequence, Token token) override;
  void close(OpenSequence sequence, bool keep) override;
  void drop_retired() override;
  void compact(std::span<OpenSequence* const> /*running*/) override {}  // nowhere costs less

  std::size_t used_cells() const override { return ledger_.used(); }
  CellUse cell_use(std::string_view tenant) const override;
  std::size_t promised_cells() const { return reserved_; }
  std::size_t prefixes() const { return residents_.size(); }
  std::size_t kept() const { return cache_.size(); }

 private:
  // A decoded list of prefixes.
  struct Resident {
    std::vector<PrefixId> ids;
    PrefixPart part;
    llama_seq_id id;
    Cells cells;
  };

  std::list<Resident>::iterator find_resident(const std::vector<PrefixId>& ids);
  Status load_resident(const PrefixPart& part, const std::vector<PrefixId>& ids,
                       const StackParts& needed);
  void drop_resident(std::list<Resident>::iterator resident);
  bool evict_resident(bool pinned_too, const StackParts& needed);
  void make_room(std::size_t cells, const StackParts& needed);
  void release(const CachedSequence& sequence);
  llama_seq_id take_id();
  // Counts cells that a tenant's open sequences hold from now on, or no longer.
  void add_held(const std::string& tenant, std::size_t cells);
  void drop_held(const std::string& tenant, std::size_t cells);

  Context& context_;
  PoolOptions options_;
  CellLedger ledger_;
  PromptCache cache_;
  std::list<Resident> residents_;  // the one used last comes last
  std::vector<llama_seq_id> free_ids_;
  std::size_t reserved_ = 0;
  std::map<std::string, std::size_t, std::less<>> held_;  // none has 0
};

}  // namespace llmpatch
