#include "eval/compose_table.h"

#include <algorithm>
#include <utility>

namespace llmpatch {

const ModeMetric* ComposeTable::find(const MetricName& name) const {
  const auto found = std::ranges::find_if(
      metrics, [&](const ModeMetric& metric) { return metric.name() == name; });
  return found == metrics.end() ? nullptr : &*found;
}

std::size_t ComposeTable::alone(std::size_t patch) const {
  const auto found =
      std::ranges::find(modes, std::vector<std::size_t>{patch}, &ComposeMode::patches);
  return static_cast<std::size_t>(found - modes.begin());
}

std::vector<std::string> ComposeTable::names() const {
  std::vector<std::string> names;
  for (const StudiedPatch& patch : patches) names.push_back(patch.name);
  return names;
}

void summarise_table(ComposeTable& table, std::uint64_t seed) {
  for (ModeMetric& metric : table.metrics) {
    metric.base_figure = summarise(metric.base, seed);
    metric.mode_figures.clear();
    for (const Metric& mode : metric.modes) metric.mode_figures.push_back(summarise(mode, seed));
  }
}

Estimate improvement(const Metric& base, const Metric& changed, bool higher_is_better,
                     std::uint64_t seed) {
  Estimate difference = compare(base, changed, seed).difference;
  if (higher_is_better) return difference;
  difference.value = -difference.value;
  difference.interval = {-difference.interval.high, -difference.interval.low};
  return difference;
}

}  // namespace llmpatch
