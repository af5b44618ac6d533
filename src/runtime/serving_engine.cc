#include "runtime/serving_engine.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/cancel.h"
#include "runtime/prefix_table.h"
#include "runtime/serving_cache.h"
#include "runtime/serving_job.h"
#include "runtime/serving_loop.h"

namespace llmpatch {
namespace {

constexpr int kMaxQueue = 1 << 20;
constexpr std::size_t kMaxPrefixes = 1024;

Error invalid(const std::string& message) {
  return make_error(ErrorKind::kInvalidArgument, "runtime", message);
}

Status check_options(const ServingOptions& options) {
  const auto in_range = [](const char* name, int value, int least, int most) -> Status {
    if (value >= least && value <= most) return {};
    return invalid(std::string(name) + ": found " + std::to_string(value) + ", expected " +
                   std::to_string(least) + " to " + std::to_string(most));
  };
  LLMPATCH_TRY(in_range("concurrent requests", options.max_concurrent, 1, kMaxServedAtOnce));
  LLMPATCH_TRY(in_range("queue", options.max_queue, 0, kMaxQueue));
  LLMPATCH_TRY(in_range("prompt tokens of a batch", options.prefill_tokens, 1, 1 << 20));
  LLMPATCH_TRY(in_range("threads", options.threads, 0, 1 << 10));
  LLMPATCH_TRY(in_range("context", options.context, 0, 1 << 24));
  return in_range("cache", options.cache_tokens, 0, 1 << 30);
}

}  // namespace

struct ServingEngine::State {
  State(const Model& from, const ServingOptions& options, ServingCache made,
        const LoopOptions& loop_options)
      : model(from),
        plan(made.plan),
        limits{static_cast<std::size_t>(plan.context), static_cast<std::size_t>(plan.request_cells),
               kResidentPrefixes},
        most_open(static_cast<std::size_t>(options.max_concurrent + options.max_queue)),
        cache(std::move(made)),
        loop(from, *cache.context, *cache.pool, loop_options) {
    cache.context->set_cancel(&stop);
  }

  void run();
  // kLimit when no request is taken now. Under the mutex.
  Status check_open() const;

  const Model& model;
  const ServingPlan plan;
  const ServingLimits limits;
  const std::size_t most_open;

  std::mutex mutex;
  std::condition_variable work;   // for the decode thread
  std::condition_variable ended;  // some requests have
  // Guarded by the mutex:
  PrefixTable prefixes;
  std::vector<std::unique_ptr<ServingJob>> arrived;
  std::set<RequestId> cancelled;
  bool retired = false;  // some prefix was, since the decode thread last looked
  bool draining = false;
  bool cancel_all = false;
  std::size_t open = 0;  // requests taken and not ended
  RequestId next_id = 1;
  ServingStats stats;

  CancelFlag stop;
  // The decode thread's alone:
  ServingCache cache;
  ServingLoop loop;

  std::thread thread;
};

Status ServingEngine::State::check_open() const {
  if (draining) return make_error(ErrorKind::kLimit, "runtime", "engine: takes no more requests");
  if (open < most_open) return {};
  return make_error(ErrorKind::kLimit, "runtime",
                    "queue: found " + std::to_string(open) +
                        " requests running and waiting, expected fewer than " +
                        std::to_string(most_open),
                    "try again when some have ended");
}

void ServingEngine::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    work.wait(lock, [&] {
      return stop.raised() || retired || cancel_all || !arrived.empty() || !cancelled.empty() ||
             !loop.idle();
    });
    auto new_jobs = std::exchange(arrived, {});
    const auto ids = std::exchange(cancelled, {});
    const bool drop = std::exchange(retired, false);
    const bool end_all = std::exchange(cancel_all, false) || stop.raised();
    lock.unlock();

    const std::uint64_t before = loop.ended();
    for (auto& job : new_jobs) loop.add(std::move(job));
    if (!ids.empty()) loop.cancel(ids);
    if (end_all) loop.cancel_all();
    if (drop) loop.drop_retired();
    loop.step();

    lock.lock();
    stats = loop.stats();
    open -= static_cast<std::size_t>(loop.ended() - before);
    if (loop.ended() != before) ended.notify_all();
    if (stop.raised() && arrived.empty()) return;
  }
}

ServingEngine::ServingEngine(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

ServingEngine::~ServingEngine() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->draining = true;
    state_->stop.raise();
  }
  state_->work.notify_all();
  state_->thread.join();
}

Result<std::unique_ptr<ServingEngine>> ServingEngine::create(const Model& model,
                                                             const ServingOptions& options) {
  LLMPATCH_TRY(check_options(options));
  LLMPATCH_ASSIGN(ServingCache cache, make_serving_cache(model, options));
  LoopOptions loop;
  loop.max_running = static_cast<std::size_t>(options.max_concurrent);
  loop.prefill_tokens = static_cast<std::size_t>(options.prefill_tokens);
  loop.reuse = cache.reuse;
  auto state = std::make_unique<State>(model, options, std::move(cache), loop);
  return std::unique_ptr<ServingEngine>(new ServingEngine(std::move(state)));
}

const ServingPlan& ServingEngine::plan() const { return state_->plan; }
const Model& ServingEngine::model() const { return state_->model; }

ServingStats ServingEngine::stats() const {
  const std::lock_guard lock(state_->mutex);
  ServingStats stats = state_->stats;
  stats.waiting = static_cast<int>(state_->open) - stats.running;
  return stats;
}

Result<PrefixId> ServingEngine::add_prefix(const Rows& rows) {
  LLMPATCH_TRY(check_prefix(rows, model()));
  const std::lock_guard lock(state_->mutex);
  if (state_->prefixes.size() >= kMaxPrefixes) {
    return make_error(ErrorKind::kLimit, "runtime",
                      "prefixes: found " + std::to_string(kMaxPrefixes) + ", expected no more",
                      "retire one");
  }
  return state_->prefixes.add(rows);
}

Status ServingEngine::retire_prefix(PrefixId id) {
  {
    const std::lock_guard lock(state_->mutex);
    LLMPATCH_TRY(state_->prefixes.retire(id));
    state_->retired = true;
  }
  state_->work.notify_all();
  return {};
}

Result<RequestId> ServingEngine::submit(ServingRequest request, ServingSink sink) {
  State& state = *state_;
  LLMPATCH_TRY(check_request(request, state.model, state.limits));
  std::shared_ptr<const PrefixStack> stack;
  {
    const std::lock_guard lock(state.mutex);
    LLMPATCH_TRY(state.check_open());
    LLMPATCH_ASSIGN(stack, state.prefixes.stack(request.stack));
  }
  LLMPATCH_ASSIGN(auto job, make_job(std::move(request), std::move(sink), std::move(stack),
                                     state.model, state.limits));
  RequestId id = 0;
  {
    const std::lock_guard lock(state.mutex);
    LLMPATCH_TRY(state.check_open());
    id = job->id = state.next_id++;
    ++state.open;
    state.arrived.push_back(std::move(job));
  }
  state.work.notify_all();
  return id;
}

void ServingEngine::cancel(RequestId id) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->cancelled.insert(id);
  }
  state_->work.notify_all();
}

void ServingEngine::drain(std::chrono::steady_clock::time_point deadline) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  state.draining = true;
  const auto none_open = [&] { return state.open == 0; };
  if (state.ended.wait_until(lock, deadline, none_open)) return;
  state.cancel_all = true;
  state.work.notify_all();
  state.ended.wait(lock, none_open);
}

}  // namespace llmpatch
