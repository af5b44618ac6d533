#include "eval/measured_suite.h"

#include <algorithm>

namespace llmpatch {
namespace {

const Metric* find_metric(const SystemMetrics* system, const std::string& name) {
  if (system == nullptr) return nullptr;
  const auto found = std::ranges::find(system->metrics, name, &Metric::name);
  return found == system->metrics.end() ? nullptr : &*found;
}

}  // namespace

const SystemMetrics* MeasuredSuite::find(const System& system) const {
  const auto found = std::ranges::find(systems, system, &SystemMetrics::system);
  return found == systems.end() ? nullptr : &*found;
}

void finish(MeasuredSuite& suite, const std::optional<System>& reference, std::uint64_t seed) {
  for (SystemMetrics& system : suite.systems) {
    for (const Metric& metric : system.metrics) {
      system.figures.push_back(summarise(metric, seed));
    }
  }
  for (std::size_t i = 0; i < suite.systems.size(); ++i) {
    for (std::size_t j = i + 1; j < suite.systems.size(); ++j) {
      const SystemMetrics &a = suite.systems[i], &b = suite.systems[j];
      if (!are_compared(a.system, b.system)) continue;
      for (const Metric& metric : a.metrics) {
        const Metric* other = find_metric(&b, metric.name);
        if (other == nullptr) continue;
        suite.comparisons.push_back(
            {a.system, b.system, compare(metric, *other, seed), std::nullopt});
      }
    }
  }
  if (!reference) return;
  for (const SystemMetrics& system : suite.systems) {
    if (system.system == System::kBase || system.system == *reference) continue;
    for (const Metric& metric : suite.systems.front().metrics) {
      const Metric* own = find_metric(&system, metric.name);
      const Metric* of_reference = find_metric(suite.find(*reference), metric.name);
      if (own == nullptr || of_reference == nullptr) continue;
      const Estimate share = share_recovered(metric, *own, *of_reference, seed);
      if (share.n > 0) suite.recovered.push_back({system.system, metric.name, share});
    }
  }
}

}  // namespace llmpatch
