#include "serve/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <mutex>
#include <set>

namespace llmpatch {
namespace {

// Clients choose their stacks; what they may fill the memory with is bounded.
constexpr std::size_t kMaxStacks = 256;

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

Family<Counter>& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

Family<Gauge>& gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

Family<Histogram>& histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

const Histogram::BucketBoundaries kFirstToken{0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                              1,    2.5,   5,    10,  30,   60};
const Histogram::BucketBoundaries kGap{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                       0.1,   0.25,   0.5,   1,    2.5};
const Histogram::BucketBoundaries kWhole{0.01, 0.05, 0.1, 0.25, 0.5, 1,  2.5,
                                         5,    10,   30,  60,   120, 300};

// Whether the key may run every patch of a stack. What has no @ is none: "none", "other", or the
// build metadata of the version before it.
bool may_run_all(const ApiKey& key, std::string_view stack) {
  while (true) {
    const std::string_view part = stack.substr(0, stack.find('+'));
    const std::size_t at = part.find('@');
    if (at != std::string_view::npos && !key.may_run(part.substr(0, at))) return false;
    if (part.size() == stack.size()) return true;
    stack.remove_prefix(part.size() + 1);
  }
}

// Takes away what says how patches are used that the key may not run.
void leave_out(const ApiKey& key, std::vector<prometheus::MetricFamily>& families) {
  for (prometheus::MetricFamily& family : families) {
    std::erase_if(family.metric, [&](const prometheus::ClientMetric& metric) {
      return std::any_of(metric.label.begin(), metric.label.end(), [&](const auto& label) {
        return (label.name == "patch" || label.name == "stack") && !may_run_all(key, label.value);
      });
    });
  }
  std::erase_if(families, [](const auto& family) { return family.metric.empty(); });
}

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
  Family<Counter>& answers =
      counters(registry, "llmpatch_requests_total", "Answers by endpoint and status");
  Family<Counter>& stacks = counters(registry, "llmpatch_stack_requests_total",
                                     "Completions by the stack of patches they ran behind");
  Family<Counter>& tokens = counters(registry, "llmpatch_tokens_total", "Tokens by kind");
  Family<Counter>& reloads =
      counters(registry, "llmpatch_reloads_total", "Times that patches and keys were read anew");
  Family<Counter>& updates =
      counters(registry, "llmpatch_updates_total", "Times that a channel was asked for news");
  Family<Counter>& verdicts =
      counters(registry, "llmpatch_judged_total", "Verdicts on finished answers, by patch");
  Family<Gauge>& running = gauges(registry, "llmpatch_requests_running", "Requests being decoded");
  Family<Gauge>& waiting = gauges(registry, "llmpatch_requests_waiting", "Requests in the queue");
  Family<Gauge>& used = gauges(registry, "llmpatch_cache_cells_used", "Cells of the cache in use");
  Family<Gauge>& cells = gauges(registry, "llmpatch_cache_cells", "Cells of the cache");
  Family<Gauge>& connections = gauges(registry, "llmpatch_connections", "Open connections");
  Family<Gauge>& ready =
      gauges(registry, "llmpatch_ready", "1 when requests of the default stack can be served");
  Family<Gauge>& audit_failing =
      gauges(registry, "llmpatch_audit_failing", "1 while the audit log cannot be written to");
  Family<Histogram>& first = histograms(registry, "llmpatch_time_to_first_token_seconds",
                                        "From the arrival in the queue to the first token");
  Family<Histogram>& gaps =
      histograms(registry, "llmpatch_inter_token_seconds", "Between two pieces of a choice");
  Histogram& whole =
      histograms(registry, "llmpatch_request_seconds", "From a request's arrival to its end")
          .Add({}, kWhole);
  std::mutex scraping;
  std::mutex naming;
  std::set<std::string> names;  // of stacks and patches that are labels

  std::string label_of(const std::string& stack) {
    const std::lock_guard lock(naming);
    if (names.size() >= kMaxStacks && !names.contains(stack)) return "other";
    names.insert(stack);
    return stack;
  }
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::count_answer(std::string_view endpoint, int status) {
  state_->answers.Add({{"endpoint", std::string(endpoint)}, {"code", std::to_string(status)}})
      .Increment();
}

void Metrics::count_reload(bool done) {
  state_->reloads.Add({{"outcome", done ? "done" : "failed"}}).Increment();
}

void Metrics::count_update(bool done) {
  state_->updates.Add({{"outcome", done ? "done" : "failed"}}).Increment();
}

void Metrics::count_verdict(std::string_view judge, const std::vector<std::string>& patches,
                            const char* verdict) {
  const auto count = [&](const std::string& patch) {
    state_->verdicts
        .Add({{"judge", std::string(judge)},
              {"patch", state_->label_of(patch)},
              {"verdict", verdict}})
        .Increment();
  };
  if (patches.empty()) return count("none");
  for (const std::string& patch : patches) count(patch);
}

void Metrics::count_completion(const std::string& stack, const ServingUsage& usage,
                               double seconds) {
  const std::string label = state_->label_of(stack);
  const auto count = [&](const char* kind, int tokens) {
    state_->tokens.Add({{"kind", kind}, {"patch", label}}).Increment(tokens);
  };
  state_->stacks.Add({{"stack", label}}).Increment();
  count("prompt", usage.prompt_tokens);
  count("cached", usage.cached_tokens);
  count("generated", usage.completion_tokens);
  if (usage.first_token_seconds > 0) {
    state_->first.Add({{"patch", label}}, kFirstToken).Observe(usage.first_token_seconds);
  }
  state_->whole.Observe(seconds);
}

std::function<void(double)> Metrics::gap_observer(const std::string& stack) {
  Histogram& gaps = state_->gaps.Add({{"patch", state_->label_of(stack)}}, kGap);
  return [&gaps](double seconds) { gaps.Observe(seconds); };
}

std::string Metrics::text(const Now& now) {
  const std::lock_guard lock(state_->scraping);
  state_->running.Add({}).Set(now.engine.running);
  state_->waiting.Add({}).Set(now.engine.waiting);
  state_->used.Add({}).Set(now.engine.used_cells);
  state_->cells.Add({}).Set(now.cells);
  state_->connections.Add({}).Set(static_cast<double>(now.connections));
  state_->ready.Add({}).Set(now.ready ? 1 : 0);
  state_->audit_failing.Add({}).Set(now.audit_failing ? 1 : 0);
  std::vector<prometheus::MetricFamily> families = state_->registry.Collect();
  if (now.key != nullptr) leave_out(*now.key, families);
  // Patches come and go, so their gauges are made for this answer alone.
  prometheus::Registry patches;
  Family<Gauge>& states =
      gauges(patches, "llmpatch_patch_state", "1 for the state each patch is in");
  Family<Gauge>& expired =
      gauges(patches, "llmpatch_patch_expired", "1 for an active patch that has expired");
  for (const auto& patch : now.table->patches) {
    const std::string &name = patch->manifest.name, &version = patch->manifest.version;
    if (now.key != nullptr && !now.key->may_run(name)) continue;
    states.Add({{"patch", name}, {"version", version}, {"state", patch->state()}}).Set(1);
    if (patch->is_current) {
      expired.Add({{"patch", name}, {"version", version}}).Set(patch->has_expired() ? 1 : 0);
    }
  }
  for (prometheus::MetricFamily& family : patches.Collect()) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace llmpatch
