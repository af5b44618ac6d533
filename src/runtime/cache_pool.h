// Where the requests of a serving loop get their sequences from, whatever the layout of the KV
// cache.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/model.h"
#include "runtime/prefix_table.h"
#include "runtime/prompt_cache.h"

namespace llmpatch {

// The sequence of a request that runs.
struct OpenSequence : CachedSequence {
  std::size_t reserved = 0;  // cells promised to it for tokens to come
};

// What a request brings.
struct OpenRequest {
  std::shared_ptr<const PrefixStack> stack;
  std::string tenant;
  std::span<const Token> prompt;
  std::size_t tokens = 0;    // that will be decoded, prompt and answer together
  std::size_t reusable = 0;  // first tokens of the prompt that may be copied
  // A sequence of the tenant behind the same stack that begins with `common` tokens of the prompt,
  // all decoded.
  const OpenSequence* source = nullptr;
  std::size_t common = 0;
};

// How a tenant stands to the cells that all draw on.
struct CellUse {
  std::size_t held = 0;  // by its open sequences, those promised among them, rows of stacks not
  std::size_t free = 0;  // or could be made so
};

// Not thread-safe.
class CachePool {
 public:
  virtual ~CachePool() = default;

  // A sequence that holds the stack's rows and the longest beginning of the prompt that is known of
  // the tenant, with cells promised for the rest. Evicts what nobody uses. Nothing while requests
  // that run leave no room: try again when one has ended. Errors are those of decoding the stack's
  // rows; the pool is as before then.
  virtual Result<std::optional<OpenSequence>> open(const OpenRequest& request) = 0;
  // Copies further tokens, so that `sequence` has the first `n` of `from`, which has them decoded
  // and begins as `sequence` does, of the same tenant behind the same stack. False: it cannot be
  // copied, and `sequence` is as before. An error: `sequence` is lost and must be closed.
  virtual Result<bool> copy(OpenSequence& sequence, const OpenSequence& from, std::size_t n) = 0;
  // Takes a promised cell for a token that will be decoded next.
  virtual void append(OpenSequence& sequence, Token token) = 0;
  // Gives the sequence back; with `keep`, all its tokens must have been decoded.
  virtual void close(OpenSequence sequence, bool keep) = 0;
  // Frees what only retired prefixes need.
  virtual void drop_retired() = 0;
  // Moves open sequences, all of whose tokens must have been decoded, to where a batch of them
  // costs less. `running` are all that are open.
  virtual void compact(std::span<OpenSequence* const> running) = 0;

  virtual std::size_t used_cells() const = 0;
  virtual CellUse cell_use(std::string_view tenant) const = 0;
};

}  // namespace llmpatch
