#include "runtime/prefix_table.h"

#include <algorithm>

namespace llmpatch {

bool PrefixStack::retired() const {
  return std::any_of(parts.begin(), parts.end(), [](const PrefixPart& part) {
    return std::any_of(part.begin(), part.end(),
                       [](const auto& prefix) { return prefix->retired.load(); });
  });
}

PrefixId PrefixTable::add(const Rows& rows) {
  const PrefixId id = next_++;
  auto prefix = std::make_shared<SharedPrefix>();
  prefix->id = id;
  prefix->rows = rows;
  prefixes_.emplace(id, std::move(prefix));
  return id;
}

Status PrefixTable::retire(PrefixId id) {
  const auto found = prefixes_.find(id);
  if (found == prefixes_.end()) return unknown_prefix(id);
  found->second->retired.store(true);
  prefixes_.erase(found);
  return {};
}

Result<std::shared_ptr<const PrefixStack>> PrefixTable::stack(const Stack& stack) const {
  for (const PrefixId id : stack.prefixes) {
    if (!prefixes_.contains(id)) return unknown_prefix(id);
  }
  auto made = std::make_shared<PrefixStack>();
  LLMPATCH_ASSIGN(made->ids, stack_parts(stack));
  for (const auto& ids : made->ids) {
    PrefixPart part;
    std::size_t length = 0;
    for (const PrefixId id : ids) {
      part.push_back(prefixes_.at(id));
      length += part.back()->rows.n;
    }
    made->parts.push_back(std::move(part));
    made->rows += length;
    made->next = std::max(made->next, length);
  }
  return std::shared_ptr<const PrefixStack>(std::move(made));
}

Rows join_rows(const PrefixPart& part) {
  Rows joined;
  for (const auto& prefix : part) {
    const Rows& rows = prefix->rows;
    joined.d = rows.d;
    joined.n += rows.n;
    joined.values.insert(joined.values.end(), rows.values.begin(), rows.values.end());
  }
  return joined;
}

}  // namespace llmpatch
