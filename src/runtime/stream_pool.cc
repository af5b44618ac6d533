#include "runtime/stream_pool.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace llmpatch {
namespace {

// Shorter beginnings are decoded again as fast as they are looked after.
constexpr std::size_t kWorthKeeping = 16;

Error not_restored() {
  return make_error(ErrorKind::kUnsupported, "runtime",
                    "saved cells: found others after restoring them, expected the same");
}

// Puts cells into the empty sequence 0, and compares what libllama then saves.
Status check_restores(Context& context, const SavedCells& cells) {
  context.clear();
  LLMPATCH_TRY(context.restore(cells.bytes(), 0));
  LLMPATCH_ASSIGN(auto bytes, context.save(0));
  LLMPATCH_ASSIGN(const SavedCells again, SavedCells::parse(std::move(bytes)));
  if (again == cells) return {};
  return not_restored();
}

Status check_parts(Context& context, std::size_t n_vocab) {
  constexpr std::size_t kTokens = 8;
  TokenBatch batch;
  for (std::size_t i = 0; i < kTokens; ++i) {
    batch.add(static_cast<Token>(i % n_vocab), static_cast<llama_pos>(i), 0, false);
  }
  LLMPATCH_TRY(context.decode(batch));
  LLMPATCH_ASSIGN(auto bytes, context.save(0));
  LLMPATCH_ASSIGN(const SavedCells all, SavedCells::parse(std::move(bytes)));
  const SavedCells half = all.before(kTokens / 2);
  if (all.size() != kTokens || half.size() != kTokens / 2) return not_restored();
  LLMPATCH_TRY(check_restores(context, half));
  const std::vector<SavedCells> both{half, all};
  LLMPATCH_ASSIGN(const SavedCells joined, SavedCells::join(both));
  return check_restores(context, joined);
}

// Whether what was decoded of `a` may be used for `b`.
bool same_owner(const auto& a, const auto& b) {
  return a.tenant == b.tenant && a.stack->ids == b.stack->ids;
}

bool begins_with(std::span<const Token> tokens, std::span<const Token> beginning) {
  return common_beginning(tokens, beginning) == beginning.size();
}

}  // namespace

Status check_saved_cells(Context& context, std::size_t n_vocab) {
  Status status = check_parts(context, n_vocab);
  context.clear();
  return status;
}

StreamPool::StreamPool(Context& context, const StreamOptions& options)
    : context_(context), options_(options), streams_(options.streams) {}

std::size_t StreamPool::kept() const {
  const auto n = std::count_if(streams_.begin(), streams_.end(),
                               [](const Stream& stream) { return stream.kept.has_value(); });
  return saved_.size() + static_cast<std::size_t>(n);
}

bool StreamPool::can_be_saved(const CachedSequence& sequence) const {
  return options_.window == 0 || sequence.stack->next + sequence.tokens.size() <= options_.window;
}

Result<SavedCells> StreamPool::save(std::size_t stream) {
  LLMPATCH_ASSIGN(auto bytes, context_.save(static_cast<llama_seq_id>(stream)));
  return SavedCells::parse(std::move(bytes));
}

// --- Prompts kept for reuse -------------------------------------------------------------------

void StreamPool::drop_saved(std::list<Saved>::iterator saved) {
  saved_bytes_ -= saved->cells.bytes().size();
  saved_.erase(saved);
}

void StreamPool::keep(Saved saved) {
  const std::size_t size = saved.cells.bytes().size();
  if (size > options_.kept_bytes) return;
  for (auto it = saved_.begin(); it != saved_.end();) {
    const auto next = std::next(it);
    if (same_owner(*it, saved)) {
      if (begins_with(it->tokens, saved.tokens)) return;
      if (begins_with(saved.tokens, it->tokens)) drop_saved(it);
    }
    it = next;
  }
  saved_bytes_ += size;
  saved_.push_back(std::move(saved));
  while (saved_bytes_ > options_.kept_bytes) drop_saved(saved_.begin());
}

// Empties a closed stream; what it holds moves outside if it is worth it.
void StreamPool::vacate(std::size_t stream) {
  std::optional<CachedSequence> kept = std::exchange(streams_[stream].kept, std::nullopt);
  if (!kept) return;
  used_ -= kept->stack->rows + kept->tokens.size();
  if (options_.kept_bytes > 0 && kept->tokens.size() >= kWorthKeeping && can_be_saved(*kept)) {
    auto cells = save(stream);
    // Without them the prompt is decoded again.
    if (cells.ok()) keep({kept->stack, kept->tenant, std::move(kept->tokens), std::move(*cells)});
  }
  context_.remove(static_cast<llama_seq_id>(stream));
}

StreamPool::Found StreamPool::find(const OpenRequest& request) {
  Found found;
  const auto prompt = request.prompt.first(request.reusable);
  if (prompt.empty()) return found;
  if (request.source != nullptr && can_be_saved(*request.source)) {
    found.tokens = std::min(request.common, request.reusable);
    if (found.tokens > 0) found.stream = static_cast<std::size_t>(request.source->id);
  }
  // A closed stream may be taken as it is, so it goes before one that runs.
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    const auto& kept = streams_[i].kept;
    if (!kept || !same_owner(*kept, request)) continue;
    const std::size_t n = common_beginning(kept->tokens, prompt);
    if (n == 0 || n < found.tokens) continue;
    const bool other = found.stream && !streams_[*found.stream].open;
    if (n == found.tokens && other) continue;
    found.tokens = n;
    found.stream = i;
  }
  auto best = saved_.end();
  for (auto it = saved_.begin(); it != saved_.end(); ++it) {
    if (!same_owner(*it, request)) continue;
    const std::size_t n = common_beginning(it->tokens, prompt);
    if (n == 0 || n < found.tokens) continue;
    if (n > found.tokens) found.stream.reset();
    found.tokens = n;
    best = it;
  }
  if (best != saved_.end()) {
    saved_.splice(saved_.end(), saved_, best);
    found.saved = &saved_.back().cells;
  }
  return found;
}

// --- Stacks -----------------------------------------------------------------------------------

// The cells of a stack's rows, decoded once, in an empty stream that is empty afterwards.
Result<SavedCells> StreamPool::stack_cells(const PrefixStack& stack, std::size_t stream) {
  const auto known = std::find_if(stacks_.begin(), stacks_.end(), [&](const StackCells& other) {
    return other.stack->ids == stack.ids;
  });
  if (known != stacks_.end()) {
    stacks_.splice(stacks_.end(), stacks_, known);
    return stacks_.back().cells;
  }
  SavedCells cells;
  if (stack.parts.size() == 1) {
    const auto id = static_cast<llama_seq_id>(stream);
    Status status = context_.decode_rows(join_rows(stack.parts.front()), id);
    auto saved = status.ok() ? save(stream) : Result<SavedCells>(status.error());
    context_.remove(id);
    LLMPATCH_ASSIGN(cells, std::move(saved));
  } else {
    std::vector<SavedCells> parts;
    for (std::size_t i = 0; i < stack.parts.size(); ++i) {
      PrefixStack part;
      part.ids = {stack.ids[i]};
      part.parts = {stack.parts[i]};
      LLMPATCH_ASSIGN(parts.emplace_back(), stack_cells(part, stream));
    }
    LLMPATCH_ASSIGN(cells, SavedCells::join(parts));
  }
  stacks_.push_back({std::make_shared<const PrefixStack>(stack), cells});
  if (stacks_.size() > options_.stacks) stacks_.pop_front();
  return cells;
}

void StreamPool::drop_retired() {
  std::erase_if(stacks_, [](const StackCells& cells) { return cells.stack->retired(); });
  for (auto it = saved_.begin(); it != saved_.end();) {
    const auto next = std::next(it);
    if (it->stack->retired()) drop_saved(it);
    it = next;
  }
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    auto& kept = streams_[i].kept;
    if (!kept || !kept->stack->retired()) continue;
    used_ -= kept->stack->rows + kept->tokens.size();
    kept.reset();
    context_.remove(static_cast<llama_seq_id>(i));
  }
}

// --- Requests ---------------------------------------------------------------------------------

// A closed stream beside one that runs, at best between two, that holds nothing or what was used
// longest ago.
std::optional<std::size_t> StreamPool::choose_place() const {
  const auto runs = [&](std::size_t i) { return i < streams_.size() && streams_[i].open; };
  std::optional<std::size_t> best;
  const auto worth = [&](std::size_t i) {
    const Stream& stream = streams_[i];
    return std::tuple(int{runs(i + 1)} + int{i > 0 && runs(i - 1)}, !stream.kept.has_value(),
                      ~stream.closed);
  };
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (!streams_[i].open && (!best || worth(i) > worth(*best))) best = i;
  }
  return best;
}

// Puts into the closed stream what was found of the prompt, or else the stack's rows.
Status StreamPool::fill(std::size_t stream, const OpenRequest& request, const Found& found) {
  const PrefixStack& stack = *request.stack;
  const auto id = static_cast<llama_seq_id>(stream);
  const auto end = static_cast<llama_pos>(stack.next + found.tokens);
  const auto prompt = request.prompt.first(request.reusable);
  auto& kept = streams_[stream].kept;
  if (kept && same_owner(*kept, request) &&
      common_beginning(kept->tokens, prompt) >= found.tokens) {
    const std::size_t rest = kept->tokens.size() - found.tokens;
    if (rest > found.tokens && rest >= kWorthKeeping && can_be_saved(*kept)) {
      auto cells = save(stream);
      if (cells.ok()) keep({kept->stack, kept->tenant, kept->tokens, std::move(*cells)});
    }
    context_.remove(id, end);
    used_ -= kept->stack->rows + kept->tokens.size();
    kept.reset();
    return {};
  }
  SavedCells cells;
  if (found.saved != nullptr) {
    cells = found.saved->before(end);
  } else if (found.stream) {
    LLMPATCH_ASSIGN(const SavedCells all, save(*found.stream));
    cells = all.before(end);
    if (found.tokens >= kWorthKeeping) {
      const auto beginning = prompt.first(found.tokens);
      keep({request.stack, request.tenant, Tokens(beginning.begin(), beginning.end()), cells});
    }
  }
  vacate(stream);
  if (found.tokens == 0 && stack.rows > 0) {
    LLMPATCH_ASSIGN(cells, stack_cells(stack, stream));
  }
  if (cells.size() == 0) return {};
  Status status = context_.restore(cells.bytes(), id);
  if (!status.ok()) context_.remove(id);
  return status;
}

Result<std::optional<OpenSequence>> StreamPool::open(const OpenRequest& request) {
  const Found found = find(request);
  std::optional<std::size_t> place = choose_place();
  if (!place) return std::optional<OpenSequence>();
  if (found.stream && !streams_[*found.stream].open) {
    // As it is, where most of it is of use, or where it cannot be copied.
    const CachedSequence& kept = *streams_[*found.stream].kept;
    const bool beside = std::none_of(streams_.begin(), streams_.end(),
                                     [](const Stream& stream) { return stream.open; }) ||
                        (*found.stream > 0 && streams_[*found.stream - 1].open) ||
                        (*found.stream + 1 < streams_.size() && streams_[*found.stream + 1].open);
    if (!can_be_saved(kept) || (beside && 2 * found.tokens >= kept.tokens.size())) {
      place = found.stream;
    }
  }
  Stream& stream = streams_[*place];
  LLMPATCH_TRY(fill(*place, request, found));
  stream.open = true;
  used_ += request.stack->rows + found.tokens;

  OpenSequence opened;
  opened.id = static_cast<std::int32_t>(*place);
  opened.stack = request.stack;
  opened.tenant = request.tenant;
  const auto known = request.prompt.first(found.tokens);
  opened.tokens.assign(known.begin(), known.end());
  return std::optional<OpenSequence>(std::move(opened));
}

Result<bool> StreamPool::copy(OpenSequence& sequence, const OpenSequence& from, std::size_t n) {
  if (!can_be_saved(from)) return false;
  const auto end = static_cast<llama_pos>(sequence.stack->next + n);
  const auto beginning = std::span(from.tokens).first(n);
  const auto known = std::find_if(saved_.begin(), saved_.end(), [&](const Saved& saved) {
    return same_owner(saved, from) && begins_with(saved.tokens, beginning);
  });
  SavedCells cells;
  if (known != saved_.end()) {
    cells = known->cells.before(end);
  } else {
    LLMPATCH_ASSIGN(const SavedCells all, save(static_cast<std::size_t>(from.id)));
    cells = all.before(end);
    // Where several wait for the same prompt, the others find it there.
    if (n >= kWorthKeeping) {
      keep({from.stack, from.tenant, Tokens(beginning.begin(), beginning.end()), cells});
    }
  }
  context_.remove(sequence.id);
  const Status restored = context_.restore(cells.bytes(), sequence.id);
  if (!restored.ok()) {
    used_ -= sequence.tokens.size();
    sequence.tokens.clear();  // so that nobody takes it for what it was
    return restored.error();
  }
  const auto first = static_cast<std::ptrdiff_t>(sequence.tokens.size());
  used_ += n - sequence.tokens.size();
  sequence.tokens.insert(sequence.tokens.end(), from.tokens.begin() + first,
                         from.tokens.begin() + static_cast<std::ptrdiff_t>(n));
  return true;
}

void StreamPool::append(OpenSequence& sequence, Token token) {
  sequence.tokens.push_back(token);
  ++used_;
}

void StreamPool::close(OpenSequence sequence, bool keep) {
  Stream& stream = streams_[static_cast<std::size_t>(sequence.id)];
  stream.open = false;
  stream.closed = ++clock_;
  const bool retired = sequence.stack->retired();
  if (keep && !retired && !sequence.tokens.empty()) {
    stream.kept = std::move(sequence);
  } else {
    used_ -= sequence.stack->rows + sequence.tokens.size();
    context_.remove(sequence.id);
  }
  if (retired) drop_retired();
}

void StreamPool::compact(std::span<OpenSequence* const> running) {
  const auto next_gap = [&](std::size_t i) {
    while (i < streams_.size() && !streams_[i].open) ++i;  // before all that run
    while (i < streams_.size() && streams_[i].open) ++i;
    return i;
  };
  const auto last = [&] {
    std::size_t i = streams_.size();
    while (i > 0 && !streams_[i - 1].open) --i;
    return i;  // the one behind it
  };
  const bool had_gap = std::exchange(gap_, next_gap(0) < last());
  if (!had_gap || !gap_) return;
  const std::size_t from = last() - 1, to = next_gap(0);
  const auto moved = std::find_if(running.begin(), running.end(), [&](const OpenSequence* other) {
    return other->id == static_cast<std::int32_t>(from);
  });
  if (moved == running.end() || !can_be_saved(**moved)) return;
  auto bytes = context_.save(static_cast<llama_seq_id>(from));
  if (!bytes.ok()) return;
  vacate(to);
  if (!context_.restore(*bytes, static_cast<llama_seq_id>(to)).ok()) {
    context_.remove(static_cast<llama_seq_id>(to));
    return;
  }
  context_.remove(static_cast<llama_seq_id>(from));
  streams_[from].open = false;
  streams_[to].open = true;
  (*moved)->id = static_cast<std::int32_t>(to);
  gap_ = false;
}

}  // namespace llmpatch
