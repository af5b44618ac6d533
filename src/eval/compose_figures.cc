#include "eval/compose_figures.h"

#include <algorithm>
#include <iterator>

namespace llmpatch {
namespace {

// What one evaluation says of one metric.
struct Measured {
  const Suite& suite;
  bool headline;
  Metric base, mode;
};

Metric refusals(const SystemResult& system) {
  Metric metric{std::string(kRefusedMetric), Scale::kShare, {}};
  for (const Answer& answer : system.answers) metric.values.push_back(answer.refused ? 1 : 0);
  return metric;
}

Metric degenerate(const SystemResult& system) {
  Metric metric{"degenerate", Scale::kShare, {}};
  for (const Answer& answer : system.answers) {
    metric.values.push_back(answer.degeneration == Degeneration::kNone ? 0 : 1);
  }
  return metric;
}

std::vector<Measured> metrics_of(const EvalResult& result) {
  std::vector<Measured> all;
  for (const SuiteResult& suite : result.suites) {
    const SystemResult* base = suite.find(System::kBase);
    const SystemResult* mode = suite.find(System::kPatched);
    if (base == nullptr || mode == nullptr) continue;
    all.push_back({suite.suite, true, refusals(*base), refusals(*mode)});
    all.push_back({suite.suite, false, degenerate(*base), degenerate(*mode)});
  }
  for (const MeasuredSuite& suite : result.measured) {
    const SystemMetrics* base = suite.find(System::kBase);
    const SystemMetrics* mode = suite.find(System::kPatched);
    if (base == nullptr || mode == nullptr) continue;
    for (const Metric& metric : base->metrics) {
      const auto same = std::ranges::find(mode->metrics, metric.name, &Metric::name);
      if (same == mode->metrics.end()) continue;
      const bool headline = std::ranges::find(suite.headline, metric.name) != suite.headline.end();
      all.push_back({suite.suite, headline, metric, *same});
    }
  }
  return all;
}

ModeFigure& figure_of(ComposeTable& table, const std::string& suite, const char* name,
                      const Estimate& base) {
  const auto found = std::ranges::find_if(table.figures, [&](const ModeFigure& figure) {
    return figure.suite == suite && figure.name == name;
  });
  if (found != table.figures.end()) return *found;
  table.figures.push_back({suite, name, base, {}});
  return table.figures.back();
}

}  // namespace

void add_mode(const EvalResult& result, ComposeTable& table) {
  const bool first = table.metrics.empty();
  const std::size_t mode = first ? 0 : table.metrics.front().modes.size();
  for (Measured& measured : metrics_of(result)) {
    const MetricName name{measured.suite.name, measured.base.name};
    auto found = std::ranges::find_if(
        table.metrics, [&](const ModeMetric& metric) { return metric.name() == name; });
    if (found == table.metrics.end()) {
      // A metric that this mode alone has (an answer without a verdict) cannot be compared.
      if (!first) continue;
      ModeMetric metric;
      metric.suite = name.suite;
      metric.higher_is_better = higher_is_better(measured.suite, name.metric);
      metric.over_refusal = name.metric == kRefusedMetric && measures_over_refusal(measured.suite);
      metric.headline = measured.headline;
      metric.base = std::move(measured.base);
      table.metrics.push_back(std::move(metric));
      found = std::prev(table.metrics.end());
    }
    found->modes.push_back(std::move(measured.mode));
  }
  // The same of a metric that this mode lacks and others have.
  std::erase_if(table.metrics,
                [&](const ModeMetric& metric) { return metric.modes.size() != mode + 1; });
  for (const SuiteResult& suite : result.suites) {
    if (!suite.side_effects) continue;
    const SideEffects& effects = *suite.side_effects;
    const std::string& name = suite.suite.name;
    figure_of(table, name, "kl_from_base", {}).modes.push_back(effects.kl);
    figure_of(table, name, "perplexity_base", effects.perplexity_base)
        .modes.push_back(effects.perplexity_patched);
  }
}

}  // namespace llmpatch
