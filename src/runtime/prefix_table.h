// The prefixes of a running engine: named by id, shared with the requests that use them, and kept
// until the last of these has ended.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "base/result.h"
#include "patch/rows.h"
#include "runtime/engine.h"
#include "runtime/prefix_store.h"

namespace llmpatch {

struct SharedPrefix {
  PrefixId id;
  Rows rows;
  std::atomic<bool> retired{false};  // no new request may use it
};

// One list of prefixes, decoded as their concatenated rows.
using PrefixPart = std::vector<std::shared_ptr<const SharedPrefix>>;

// A stack whose rows are at hand. Immutable, so threads may share it.
struct PrefixStack {
  StackParts ids;  // equal for stacks whose cells are equal
  std::vector<PrefixPart> parts;
  std::size_t rows = 0;  // of all parts: the cells they take
  std::size_t next = 0;  // position behind them
  bool retired() const;  // whether any prefix is
};

// Not thread-safe; what it gives out is.
class PrefixTable {
 public:
  PrefixId add(const Rows& rows);
  // Forgets the prefix; stacks given out keep its rows. kNotFound.
  Status retire(PrefixId id);
  std::size_t size() const { return prefixes_.size(); }

  // kNotFound for an unknown or retired id, kInvalidArgument for one named twice in parallel.
  Result<std::shared_ptr<const PrefixStack>> stack(const Stack& stack) const;

 private:
  std::map<PrefixId, std::shared_ptr<SharedPrefix>> prefixes_;
  PrefixId next_ = 1;
};

// Rows of a part, one behind the other.
Rows join_rows(const PrefixPart& part);

}  // namespace llmpatch
