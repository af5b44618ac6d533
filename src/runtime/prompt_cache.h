// Prompts whose cells are kept after their request has ended, for requests that begin alike.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/cell_ledger.h"
#include "runtime/model.h"
#include "runtime/prefix_table.h"

namespace llmpatch {

// How many tokens `a` and `b` begin with alike.
std::size_t common_beginning(std::span<const Token> a, std::span<const Token> b);

// A sequence of the KV cache: a stack's rows and the tokens decoded behind them.
struct CachedSequence {
  std::int32_t id = -1;  // of the sequence in the context
  std::shared_ptr<const PrefixStack> stack;
  std::string tenant;  // whose tokens they are
  Tokens tokens;
  Cells rows, cells;  // of the stack's rows, and one of each token
};

// Which sequences are kept, and which go first. It only keeps the books: whoever takes a sequence
// out frees its cells. Not thread-safe.
//
// Cells depend on the prefix before them, so a prompt is found by requests behind an equal stack
// only; and by those of its own tenant, since what is found tells what was asked before.
class PromptCache {
 public:
  // Keeps at most `limit` sequences.
  explicit PromptCache(std::size_t limit) : limit_(limit) {}

  // The tenant's sequence behind `stack` that begins most as `prompt` does; it counts as used now.
  // Null when none begins alike. Valid until the next change.
  const CachedSequence* find(const StackParts& stack, std::string_view tenant,
                             std::span<const Token> prompt);

  // Takes in a sequence, and gives out those that are not kept: what another holds the tokens of,
  // too (the new one itself, perhaps), and what exceeds the limit.
  std::vector<CachedSequence> keep(CachedSequence sequence);

  // Takes out the one unused for longest.
  std::optional<CachedSequence> evict();
  // Takes out those behind retired stacks.
  std::vector<CachedSequence> take_retired();

  std::size_t size() const { return sequences_.size(); }

 private:
  std::size_t limit_;
  std::list<CachedSequence> sequences_;  // the one used last comes last
};

}  // namespace llmpatch
