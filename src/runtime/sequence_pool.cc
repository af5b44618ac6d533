#include "runtime/sequence_pool.h"

#include <algorithm>
#include <utility>

namespace llmpatch {

SequencePool::SequencePool(Context& context, const PoolOptions& options)
    : context_(context), options_(options), ledger_(context.options().cells), cache_(options.kept) {
  const auto n = static_cast<llama_seq_id>(options.open + options.prefixes + options.kept);
  for (llama_seq_id id = n; id-- > 0;) free_ids_.push_back(id);
}

llama_seq_id SequencePool::take_id() {
  const llama_seq_id id = free_ids_.back();
  free_ids_.pop_back();
  return id;
}

void SequencePool::release(const CachedSequence& sequence) {
  context_.remove(sequence.id);
  ledger_.drop(sequence.rows);
  ledger_.drop(sequence.cells);
  free_ids_.push_back(sequence.id);
}

CellUse SequencePool::cell_use(std::string_view tenant) const {
  const auto found = held_.find(tenant);
  return {found == held_.end() ? 0 : found->second, ledger_.size() - ledger_.pinned() - reserved_};
}

void SequencePool::add_held(const std::string& tenant, std::size_t cells) {
  if (cells > 0) held_[tenant] += cells;
}

void SequencePool::drop_held(const std::string& tenant, std::size_t cells) {
  const auto found = held_.find(tenant);
  if (found != held_.end() && (found->second -= cells) == 0) held_.erase(found);
}

// --- Prefixes ---------------------------------------------------------------------------------

std::list<SequencePool::Resident>::iterator SequencePool::find_resident(
    const std::vector<PrefixId>& ids) {
  return std::find_if(residents_.begin(), residents_.end(),
                      [&](const Resident& resident) { return resident.ids == ids; });
}

void SequencePool::drop_resident(std::list<Resident>::iterator resident) {
  context_.remove(resident->id);
  ledger_.drop(resident->cells);
  free_ids_.push_back(resident->id);
  residents_.erase(resident);
}

// Drops the prefixes unused for longest. Those of requests that run (their cells are pinned) free
// a sequence but no cell.
bool SequencePool::evict_resident(bool pinned_too, const StackParts& needed) {
  const auto victim =
      std::find_if(residents_.begin(), residents_.end(), [&](const Resident& resident) {
        return (pinned_too || !ledger_.is_pinned(resident.cells.front())) &&
               std::find(needed.begin(), needed.end(), resident.ids) == needed.end();
      });
  if (victim == residents_.end()) return false;
  drop_resident(victim);
  return true;
}

void SequencePool::make_room(std::size_t cells, const StackParts& needed) {
  while (ledger_.used() + reserved_ + cells > ledger_.size()) {
    if (const auto evicted = cache_.evict()) {
      release(*evicted);
    } else if (!evict_resident(false, needed)) {
      return;
    }
  }
}

Status SequencePool::load_resident(const PrefixPart& part, const std::vector<PrefixId>& ids,
                                   const StackParts& needed) {
  if (residents_.size() >= options_.prefixes) evict_resident(true, needed);
  const Rows rows = join_rows(part);
  Resident resident{ids, part, take_id(), {}};
  ledger_.take(rows.n, resident.cells);
  residents_.push_back(std::move(resident));
  Status status = context_.decode_rows(rows, residents_.back().id);
  if (!status.ok()) drop_resident(std::prev(residents_.end()));
  return status;
}

void SequencePool::drop_retired() {
  for (const CachedSequence& sequence : cache_.take_retired()) release(sequence);
  for (auto it = residents_.begin(); it != residents_.end();) {
    const auto next = std::next(it);
    const bool retired = std::any_of(it->part.begin(), it->part.end(),
                                     [](const auto& prefix) { return prefix->retired.load(); });
    if (retired) drop_resident(it);
    it = next;
  }
}

// --- Requests ---------------------------------------------------------------------------------

Result<std::optional<OpenSequence>> SequencePool::open(const OpenRequest& request) {
  const PrefixStack& stack = *request.stack;
  const CachedSequence* source = request.source;
  std::size_t common = std::min(request.common, request.reusable);
  if (request.reusable > 0) {
    const CachedSequence* kept =
        cache_.find(stack.ids, request.tenant, request.prompt.first(request.reusable));
    const std::size_t n =
        kept == nullptr ? 0
                        : common_beginning(kept->tokens, request.prompt.first(request.reusable));
    if (n > common) {
      source = kept;
      common = n;
    }
  }
  const bool copied = common > 0;

  OpenSequence opened;
  opened.stack = request.stack;
  opened.tenant = request.tenant;
  std::size_t more = request.tokens - common;
  if (copied) {
    opened.rows = source->rows;
    opened.tokens.assign(request.prompt.begin(),
                         request.prompt.begin() + static_cast<std::ptrdiff_t>(common));
    opened.cells.assign(source->cells.begin(),
                        source->cells.begin() + static_cast<std::ptrdiff_t>(common));
  } else {
    for (std::size_t i = 0; i < stack.ids.size(); ++i) {
      const auto resident = find_resident(stack.ids[i]);
      if (resident == residents_.end()) {
        for (const auto& prefix : stack.parts[i]) more += prefix->rows.n;
        continue;
      }
      opened.rows.insert(opened.rows.end(), resident->cells.begin(), resident->cells.end());
    }
  }

  // Pinned first, so that what is about to be copied counts as not evictable.
  ledger_.pin(opened.rows);
  const std::size_t newly = ledger_.pin(opened.cells);
  if (ledger_.pinned() + reserved_ + more > ledger_.size()) {
    ledger_.unpin(opened.rows);
    ledger_.unpin(opened.cells);
    return std::optional<OpenSequence>();
  }
  add_held(opened.tenant, newly);
  ledger_.hold(opened.rows);
  ledger_.hold(opened.cells);
  opened.id = take_id();
  if (copied) {
    context_.copy(source->id, opened.id, 0, static_cast<llama_pos>(stack.next + common));
  }
  make_room(more, copied ? StackParts() : stack.ids);  // may evict the source
  if (!copied) {
    for (std::size_t i = 0; i < stack.ids.size(); ++i) {
      auto resident = find_resident(stack.ids[i]);
      if (resident == residents_.end()) {
        const Status status = load_resident(stack.parts[i], stack.ids[i], stack.ids);
        if (!status.ok()) {
          close(std::move(opened), false);
          return status.error();
        }
        resident = std::prev(residents_.end());
        ledger_.hold(resident->cells);
        ledger_.pin(resident->cells);
        opened.rows.insert(opened.rows.end(), resident->cells.begin(), resident->cells.end());
      }
      residents_.splice(residents_.end(), residents_, resident);
      context_.copy(resident->id, opened.id);
    }
  }
  opened.reserved = request.tokens - common;
  reserved_ += opened.reserved;
  add_held(opened.tenant, opened.reserved);
  return std::optional<OpenSequence>(std::move(opened));
}

Result<bool> SequencePool::copy(OpenSequence& sequence, const OpenSequence& from, std::size_t n) {
  const std::size_t begin = sequence.tokens.size();
  const auto first = static_cast<llama_pos>(sequence.stack->next);
  context_.copy(from.id, sequence.id, first + static_cast<llama_pos>(begin),
                first + static_cast<llama_pos>(n));
  const std::span<const std::uint32_t> cells(from.cells.data() + begin, n - begin);
  ledger_.hold(cells);
  add_held(sequence.tenant, ledger_.pin(cells));
  sequence.cells.insert(sequence.cells.end(), cells.begin(), cells.end());
  sequence.tokens.insert(sequence.tokens.end(),
                         from.tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                         from.tokens.begin() + static_cast<std::ptrdiff_t>(n));
  sequence.reserved -= n - begin;
  reserved_ -= n - begin;
  drop_held(sequence.tenant, n - begin);
  return true;
}

void SequencePool::append(OpenSequence& sequence, Token token) {
  ledger_.take(1, sequence.cells);
  ledger_.pin({&sequence.cells.back(), 1});
  sequence.tokens.push_back(token);
  --sequence.reserved;
  --reserved_;
}

void SequencePool::close(OpenSequence sequence, bool keep) {
  reserved_ -= sequence.reserved;
  ledger_.unpin(sequence.rows);
  drop_held(sequence.tenant, sequence.reserved + ledger_.unpin(sequence.cells));
  const bool retired = sequence.stack->retired();
  if (keep && !retired && !sequence.tokens.empty()) {
    for (const CachedSequence& out : cache_.keep(std::move(sequence))) release(out);
    while (cache_.size() > 1 && ledger_.used() - ledger_.pinned() > options_.kept_cells) {
      release(*cache_.evict());
    }
  } else {
    release(sequence);
  }
  if (retired) drop_retired();
}

}  // namespace llmpatch
