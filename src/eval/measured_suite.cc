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

const SystemMetrics* MeasuredSuite::find(System system) const {
  const auto found = std::ranges::find(systems, system, &SystemMetrics::system);
  return found == systems.end() ? nullptr : &*found;
}

void finish(MeasuredSuite& suite, std::optional<System> reference, std::uint64_t seed) {
  for (SystemMetrics& system : suite.systems) {
    for (const Metric& metric : system.metrics) {
      system.figures.push_back(summarise(metric, seed));
    }
  }
  for (std::size_t i = 0; i < suite.systems.size(); ++i) {
    for (std::size_t j = i + 1; j < suite.systems.size(); ++j) {
      const SystemMetrics &a = suite.systems[i], &b = suite.systems[j];
      for (const Metric& metric : a.metrics) {
        const Metric* other = find_metric(&b, metric.name);
        if (other == nullptr) continue;
        suite.comparisons.push_back(
            {a.system, b.system, compare(metric, *other, seed), std::nullopt});
      }
    }
  }
  if (!reference) return;
  const SystemMetrics* patched = suite.find(System::kPatched);
  for (const Metric& metric : suite.systems.front().metrics) {
    const Metric* of_patch = find_metric(patched, metric.name);
    const Metric* of_reference = find_metric(suite.find(*reference), metric.name);
    if (of_patch == nullptr || of_reference == nullptr) continue;
    const Estimate share = share_recovered(metric, *of_patch, *of_reference, seed);
    if (share.n > 0) suite.recovered.emplace_back(metric.name, share);
  }
}

}  // namespace llmpatch
