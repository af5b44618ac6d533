#include "runtime/serving_loop.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace llmpatch {
namespace {

// A prompt that another one is just decoding is worth waiting for from so many tokens on.
constexpr std::size_t kWorthWaiting = 16;

// From so many tokens on, ggml's attention works on tiles of queries, each on all cells that any of
// its tokens sees: in a unified cache answers in one tile with prompts would cost as much as these.
constexpr std::size_t kTile = 64;

// A tenant that has something may take more while it then has at most so many times what is left
// free for all. So one alone has three quarters, two have three sevenths each, and there is always
// room for one that has nothing.
constexpr std::size_t kHeldPerFree = 3;

// So many jobs may be let in past one that finds no room; then all wait for it.
constexpr std::size_t kMostPassing = 16;

bool may_take(std::size_t wanted, std::size_t held, std::size_t free) {
  if (held == 0) return true;
  return wanted <= free && held + wanted <= kHeldPerFree * (free - wanted);
}

// Whether what was decoded for one may be used for the other.
bool same_owner(const ServingJob& a, const ServingJob& b) {
  return a.request.tenant == b.request.tenant && a.stack->ids == b.stack->ids;
}

ServingEnd end_of(const Error& error) {
  return error.kind == ErrorKind::kCancelled ? ServingEnd::kCancelled : ServingEnd::kFailed;
}

}  // namespace

ServingLoop::ServingLoop(const Model& model, Context& context, CachePool& pool,
                         const LoopOptions& options)
    : model_(model),
      context_(context),
      options_(options),
      pool_(pool),
      scratch_(model.suppressed()) {}

void ServingLoop::add(std::unique_ptr<ServingJob> job) {
  const std::string tenant = job->request.tenant;
  queue_.push(tenant, std::move(job));
}

void ServingLoop::refuse(const ServingJob& job, ServingEnd how, std::optional<Error> error) {
  end_waiting(job, how, std::move(error));
  ++ended_;
}

void ServingLoop::cancel(const std::set<RequestId>& ids) {
  const auto waiting = queue_.take_if([&](const auto& job) { return ids.contains(job->id); });
  for (const auto& job : waiting) refuse(*job, ServingEnd::kCancelled);
  for (const auto& request : running_) {
    if (ids.contains(request->job().id)) request->end(ServingEnd::kCancelled);
  }
  retire();
}

void ServingLoop::cancel_all() {
  for (const auto& job : queue_.take_if([](const auto&) { return true; })) {
    refuse(*job, ServingEnd::kCancelled);
  }
  for (const auto& request : running_) request->end(ServingEnd::kCancelled);
  retire();
}

void ServingLoop::end_late() {
  const auto now = std::chrono::steady_clock::now();
  const auto late = queue_.take_if([&](const auto& job) { return job->request.deadline <= now; });
  for (const auto& job : late) refuse(*job, ServingEnd::kDeadline);
  for (const auto& request : running_) {
    if (request->job().request.deadline <= now) request->end(ServingEnd::kDeadline);
  }
  retire();
}

// --- Admission --------------------------------------------------------------------------------

// First tokens of the prompt that may be copied: not the last one, whose logits are wanted, and
// none where all logits are.
std::size_t ServingLoop::reusable(const ServingJob& job) const {
  return options_.reuse && !job.request.prompt_logprobs ? job.request.prompt.size() - 1 : 0;
}

OpenRequest ServingLoop::wanted(const ServingJob& job) const {
  OpenRequest wanted;
  wanted.stack = job.stack;
  wanted.tenant = job.request.tenant;
  wanted.prompt = job.request.prompt;
  wanted.tokens = job.tokens();
  wanted.reusable = reusable(job);
  const auto prompt = wanted.prompt.first(wanted.reusable);
  for (const auto& other : running_) {
    if (!same_owner(other->job(), job)) continue;
    const std::size_t n =
        common_beginning(std::span(other->sequence.tokens).first(other->decoded), prompt);
    if (n <= wanted.common) continue;
    wanted.source = &other->sequence;
    wanted.common = n;
  }
  return wanted;
}

// The tenant without a name is everybody at once where there are no keys: nobody else waits.
bool ServingLoop::is_within_share(const ServingJob& job) const {
  const std::string& tenant = job.request.tenant;
  if (tenant.empty()) return true;
  const auto running = std::count_if(running_.begin(), running_.end(), [&](const auto& request) {
    return request->job().request.tenant == tenant;
  });
  if (!may_take(1, static_cast<std::size_t>(running), options_.max_running - running_.size())) {
    return false;
  }
  const CellUse cells = pool_.cell_use(tenant);
  return may_take(job.stack->rows + job.tokens(), cells.held, cells.free);
}

void ServingLoop::admit() {
  while (running_.size() < options_.max_running && admit_next()) {
  }
}

// Lets in, or refuses, one job: the first in the order of turns that its tenant's share and the
// cache have room for. A job that is beyond its tenant's share waits for that tenant's own requests
// to end; one that finds no room in the cache is passed over a number of times only.
bool ServingLoop::admit_next() {
  std::vector<ServingJob*> passed;
  for (std::size_t turn = 0; turn < queue_.tenants(); ++turn) {
    ServingJob& job = *queue_.front(turn);
    if (!is_within_share(job)) continue;
    auto opened = pool_.open(wanted(job));
    if (!opened.ok()) {
      refuse(*queue_.pop(turn), end_of(opened.error()), opened.error());
      return true;
    }
    if (opened->has_value()) {
      for (ServingJob* other : passed) ++other->passed_over;
      running_.push_back(std::make_unique<RunningRequest>(queue_.pop(turn), std::move(**opened)));
      stats_.cached_tokens += running_.back()->decoded;
      return true;
    }
    if (running_.empty()) {
      refuse(*queue_.pop(turn), ServingEnd::kFailed,
             make_error(ErrorKind::kInternal, "runtime", "request: does not fit an empty cache"));
      return true;
    }
    if (job.passed_over >= kMostPassing) return false;
    passed.push_back(&job);
  }
  return false;
}

// --- Batches ----------------------------------------------------------------------------------

void ServingLoop::compact() {
  std::vector<OpenSequence*> sequences;
  for (const auto& request : running_) sequences.push_back(&request->sequence);
  pool_.compact(sequences);
}

// Before a request decodes its own prompt: copies what others have decoded since it came. False
// while an older one is about to decode much of the same.
bool ServingLoop::catch_up(std::size_t index) {
  RunningRequest& request = *running_[index];
  if (request.started) return true;
  const auto prompt = std::span(request.prompt()).first(reusable(request.job()));
  const RunningRequest* source = nullptr;
  std::size_t most = request.decoded, coming = 0;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    const RunningRequest& other = *running_[i];
    if (i == index || !same_owner(other.job(), request.job())) continue;
    const std::size_t n =
        common_beginning(std::span(other.sequence.tokens).first(other.decoded), prompt);
    if (n > most) {
      most = n;
      source = &other;
    }
    if (i < index && other.prompt_left() > 0) {
      coming = std::max(coming, common_beginning(other.prompt(), prompt));
    }
  }
  if (source != nullptr) {
    const std::size_t n = most - request.decoded;
    const Result<bool> copied = pool_.copy(request.sequence, source->sequence, most);
    if (!copied.ok()) {
      request.end(ServingEnd::kFailed, copied.error());
      return false;
    }
    if (!*copied) return true;
    request.decoded = most;
    request.count_cached(n);
    stats_.cached_tokens += n;
  }
  return coming < most + kWorthWaiting;
}

// Puts the request's next token into the batch; false when that would be an output more than
// `outputs`.
bool ServingLoop::append(RunningRequest& request, std::size_t outputs) {
  const bool output = request.wants_logits();
  if (output && batch_.outputs() >= outputs) return false;
  const std::size_t index = request.sequence.tokens.size();
  const Token token = request.next();
  const std::int32_t entry =
      batch_.add(token, static_cast<llama_pos>(request.sequence.stack->next + index),
                 request.sequence.id, output);
  pool_.append(request.sequence, token);
  request.started = true;
  if (output) outputs_.push_back({&request, index, entry});
  return true;
}

void ServingLoop::share_among_prompts(std::size_t budget) {
  std::vector<Share> shares;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    if (running_[i]->prompt_left() > 0 && catch_up(i)) shares.push_back({running_[i].get(), 0});
  }
  if (shares.empty()) return;
  const auto give = [&](Share& share, std::size_t most) {
    const std::size_t n = std::min(share.request->prompt_left() - share.tokens, most);
    share.tokens += n;
    budget -= n;
  };
  give(shares.front(), (budget + 1) / 2);
  std::vector<Share*> shortest;
  for (Share& share : shares) shortest.push_back(&share);
  std::stable_sort(shortest.begin(), shortest.end(), [](const Share* a, const Share* b) {
    return a->request->prompt_left() - a->tokens < b->request->prompt_left() - b->tokens;
  });
  // In a split cache libllama computes equally many tokens of every sequence together, so that a
  // part of one prompt would cut all others into parts, too short for attention by tiles: the whole
  // of a prompt or nothing, but for the first.
  for (Share* share : shortest) {
    const bool fits = share->request->prompt_left() - share->tokens <= budget;
    if (fits || share == &shares.front() || !context_.options().split) give(*share, budget);
  }
  for (const Share& share : shares) {
    if (share.tokens > 0) shares_.push_back(share);
  }
}

void ServingLoop::share_out() {
  shares_.clear();
  for (const auto& request : running_) {
    if (request->prompt_left() == 0) shares_.push_back({request.get(), 1});
  }
  answers_ = shares_.size();
  const std::size_t room = context_.options().batch - answers_;
  share_among_prompts(answers_ == 0 ? room : std::min(options_.prefill_tokens, room));
}

void ServingLoop::fill(std::span<Share> shares) {
  batch_.clear();
  outputs_.clear();
  std::size_t answers = 0;
  for (const Share& share : shares) answers += share.request->prompt_left() == 0 ? 1 : 0;
  for (const Share& share : shares) {
    const bool prompt = share.request->prompt_left() > 0;
    // Prompts whose logits are all wanted leave every answer its own.
    const std::size_t outputs = context_.options().outputs - (prompt ? answers : 0);
    if (!prompt) --answers;
    for (std::size_t n = 0; n < share.tokens && append(*share.request, outputs); ++n) {
      if (prompt) ++stats_.prompt_tokens;
    }
  }
}

void ServingLoop::decode(std::span<Share> shares) {
  fill(shares);
  if (batch_.size() == 0) return;
  const Status status = context_.decode(batch_);
  ++stats_.batches;
  if (!status.ok()) {
    for (const Share& share : shares) {
      share.request->end(end_of(status.error()), status.error());
    }
    return;
  }
  for (const Share& share : shares) share.request->decoded = share.request->sequence.tokens.size();
  for (const Output& output : outputs_) {
    const std::span<const float> logits = context_.logits(output.entry);
    if (logits.empty()) {
      output.request->end(ServingEnd::kFailed, make_error(ErrorKind::kInternal, "runtime",
                                                          "decode: libllama gave no logits"));
    } else if (output.request->give(output.index, logits, model_, scratch_)) {
      ++stats_.generated_tokens;
    }
  }
}

void ServingLoop::retire() {
  for (const auto& request : running_) {
    if (!request->ended()) continue;
    const bool whole = request->decoded == request->sequence.tokens.size();
    pool_.close(std::move(request->sequence), options_.reuse && whole);
    ++ended_;
  }
  std::erase_if(running_, [](const auto& request) { return request->ended(); });
  stats_.running = static_cast<int>(running_.size());
  stats_.waiting = static_cast<int>(queue_.size());
  stats_.used_cells = static_cast<int>(pool_.used_cells());
}

void ServingLoop::step() {
  end_late();
  admit();
  compact();
  share_out();
  const auto answers = std::span(shares_).first(answers_);
  const auto prompts = std::span(shares_).subspan(answers_);
  std::size_t tokens = answers_;
  for (const Share& share : prompts) tokens += share.tokens;
  if (context_.options().split) {
    // Neighbours of equal length are computed together: a token of all, then the rest of prompts.
    std::sort(shares_.begin(), shares_.end(), [](const Share& a, const Share& b) {
      return a.request->sequence.id < b.request->sequence.id;
    });
    decode(shares_);
  } else if (!answers.empty() && !prompts.empty() && tokens >= kTile) {
    decode(answers);
    decode(prompts);
  } else {
    decode(shares_);
  }
  retire();
}

}  // namespace llmpatch
