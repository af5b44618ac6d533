// The sequences of a KV cache that requests come and go in: prefixes decoded once and shared,
// prompts kept for reuse, and room promised to a request before it begins.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
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

// The sequence of a request that runs.
struct OpenSequence : CachedSequence {
  std::size_t reserved = 0;  // cells promised to it for tokens to come
};

// What a request brings.
struct OpenRequest {
  std::shared_ptr<const PrefixStack> stack;
  std::span<const Token> prompt;
  std::size_t tokens = 0;    // that will be decoded, prompt and answer together
  std::size_t reusable = 0;  // first tokens of the prompt that may be copied
  // A sequence behind the same stack that begins with `common` tokens of the prompt, all decoded.
  const OpenSequence* source = nullptr;
  std::size_t common = 0;
};

// Not thread-safe. Cells in use and promised never exceed those of the context.
class SequencePool {
 public:
  SequencePool(Context& context, const PoolOptions& options);

  // A sequence that holds the stack's rows and the longest known beginning of the prompt, with
  // cells promised for the rest. Evicts what nobody uses, longest unused first, prompts before
  // prefixes. Nothing while requests that run leave too few cells: try again when one has ended.
  // Errors are those of decoding the stack's rows; the pool is as before then.
  Result<std::optional<OpenSequence>> open(const OpenRequest& request);
  // Copies further tokens, so that it has the first `n` of `from`, which has them decoded and
  // begins as `sequence` does, behind the same stack.
  void copy(OpenSequence& sequence, const OpenSequence& from, std::size_t n);
  // Takes a promised cell for a token that will be decoded next.
  void append(OpenSequence& sequence, Token token);
  // Gives the sequence back; with `keep`, all its tokens must have been decoded.
  void close(OpenSequence sequence, bool keep);
  // Frees the cells of retired prefixes that no request uses.
  void drop_retired();

  std::size_t used_cells() const { return ledger_.used(); }
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

  Context& context_;
  PoolOptions options_;
  CellLedger ledger_;
  PromptCache cache_;
  std::list<Resident> residents_;  // the one used last comes last
  std::vector<llama_seq_id> free_ids_;
  std::size_t reserved_ = 0;
};

}  // namespace llmpatch
