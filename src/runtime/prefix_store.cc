#include "runtime/prefix_store.h"

#include <algorithm>
#include <string>

namespace llmpatch {
namespace {

Error unknown_prefix(PrefixId id) {
  return make_error(ErrorKind::kNotFound, "runtime",
                    "prefix: found no prefix " + std::to_string(id) + " in this engine");
}

}  // namespace

PrefixId PrefixStore::add(const Rows& rows) {
  const PrefixId id = next_++;
  rows_.emplace(id, rows);
  return id;
}

Status PrefixStore::remove(PrefixId id) {
  if (rows_.erase(id) == 0) return unknown_prefix(id);
  std::erase_if(cells_, [&](const auto& entry) {
    return std::find(entry.first.begin(), entry.first.end(), id) != entry.first.end();
  });
  return {};
}

Result<std::vector<std::vector<PrefixId>>> PrefixStore::parts(const Stack& stack) const {
  for (const PrefixId id : stack.prefixes) {
    if (!rows_.contains(id)) return unknown_prefix(id);
  }
  std::vector<std::vector<PrefixId>> parts;
  if (stack.prefixes.empty()) return parts;
  if (stack.compose == Compose::kSequential) {
    parts.push_back(stack.prefixes);
    return parts;
  }
  std::vector<PrefixId> ids = stack.prefixes;
  std::sort(ids.begin(), ids.end());
  if (std::adjacent_find(ids.begin(), ids.end()) != ids.end()) {
    return make_error(ErrorKind::kInvalidArgument, "runtime",
                      "stack: found the same prefix twice, expected different ones in parallel");
  }
  for (const PrefixId id : ids) parts.push_back({id});
  return parts;
}

std::size_t PrefixStore::length(const std::vector<PrefixId>& part) const {
  std::size_t n = 0;
  for (const PrefixId id : part) n += rows_.at(id).n;
  return n;
}

Result<const std::vector<std::uint8_t>*> PrefixStore::cells(const std::vector<PrefixId>& part,
                                                            Context& context) {
  if (const auto found = cells_.find(part); found != cells_.end()) return &found->second;
  Rows joined;
  for (const PrefixId id : part) {
    const Rows& rows = rows_.at(id);
    joined.d = rows.d;
    joined.n += rows.n;
    joined.values.insert(joined.values.end(), rows.values.begin(), rows.values.end());
  }
  context.clear();
  LLMPATCH_TRY(context.decode_rows(joined, 0));
  LLMPATCH_ASSIGN(std::vector<std::uint8_t> bytes, context.save(0));
  return &cells_.emplace(part, std::move(bytes)).first->second;
}

}  // namespace llmpatch
