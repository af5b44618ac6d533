#include "runtime/prefix_store.h"

#include <algorithm>
#include <string>

namespace llmpatch {

Status check_prefix(const Rows& rows, const Model& model) {
  if (rows.n == 0 || rows.values.size() != rows.n * rows.d) {
    return make_error(ErrorKind::kInvalidArgument, "runtime", "prefix: found no rows");
  }
  if (rows.d != model.n_embd()) {
    return make_error(ErrorKind::kMismatch, "runtime",
                      "prefix: found rows of width " + std::to_string(rows.d) + ", expected " +
                          std::to_string(model.n_embd()) + " for " + model.path().string());
  }
  return {};
}

Error unknown_prefix(PrefixId id) {
  return make_error(ErrorKind::kNotFound, "runtime",
                    "prefix: found no prefix " + std::to_string(id) + " in this engine");
}

Result<StackParts> stack_parts(const Stack& stack) {
  if (stack.prefixes.empty()) return StackParts{};
  if (stack.compose == Compose::kSequential) return StackParts{stack.prefixes};
  std::vector<PrefixId> ids = stack.prefixes;
  std::sort(ids.begin(), ids.end());
  if (std::adjacent_find(ids.begin(), ids.end()) != ids.end()) {
    return make_error(ErrorKind::kInvalidArgument, "runtime",
                      "stack: found the same prefix twice, expected different ones in parallel");
  }
  StackParts parts;
  for (const PrefixId id : ids) parts.push_back({id});
  return parts;
}

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

Result<StackParts> PrefixStore::parts(const Stack& stack) const {
  for (const PrefixId id : stack.prefixes) {
    if (!rows_.contains(id)) return unknown_prefix(id);
  }
  return stack_parts(stack);
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
