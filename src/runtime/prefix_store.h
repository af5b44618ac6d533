// The rows an Engine was given, and the KV cells they decode to, kept outside the cache as bytes.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/result.h"
#include "patch/rows.h"
#include "runtime/context.h"
#include "runtime/engine.h"

namespace llmpatch {

// The sequences that requests behind a stack copy: the ids of one prefix list each.
using StackParts = std::vector<std::vector<PrefixId>>;

// A sequential stack is one list, a parallel one a list per prefix, in the order of ids, so that
// both orders give the same bits. kInvalidArgument for an id named twice in parallel.
Result<StackParts> stack_parts(const Stack& stack);

// Whether rows may be a prefix of `model`: kInvalidArgument when empty, kMismatch when the width is
// not the model's.
Status check_prefix(const Rows& rows, const Model& model);

// kNotFound.
Error unknown_prefix(PrefixId id);

// Every prefix is decoded in an otherwise empty cache, and its cells are put back into an empty one
// before each run: what a request computes never depends on what ran before it. Not thread-safe.
class PrefixStore {
 public:
  PrefixId add(const Rows& rows);
  // Forgets the rows and all cells that came from them. kNotFound.
  Status remove(PrefixId id);
  std::size_t size() const { return rows_.size(); }

  // As stack_parts(); kNotFound for an unknown id.
  Result<StackParts> parts(const Stack& stack) const;
  // Rows of the prefixes of a list together; all must be known.
  std::size_t length(const std::vector<PrefixId>& part) const;

  // Cells of a list's rows, concatenated and decoded alone on `context`, which loses what it held;
  // decoded once. kLimit when they do not fit.
  Result<const std::vector<std::uint8_t>*> cells(const std::vector<PrefixId>& part,
                                                 Context& context);

 private:
  std::map<PrefixId, Rows> rows_;
  std::map<std::vector<PrefixId>, std::vector<std::uint8_t>> cells_;
  PrefixId next_ = 1;
};

}  // namespace llmpatch
