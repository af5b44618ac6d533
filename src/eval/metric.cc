#include "eval/metric.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace llmpatch {
namespace {

double figure_of(Scale scale, std::span<const double> values,
                 std::span<const std::uint32_t> prompts) {
  if (scale == Scale::kMedian) {
    std::vector<double> drawn;
    drawn.reserve(prompts.size());
    for (const std::uint32_t prompt : prompts) drawn.push_back(values[prompt]);
    return median(std::move(drawn));
  }
  double sum = 0;
  for (const std::uint32_t prompt : prompts) {
    sum += scale == Scale::kGeometric ? std::log(values[prompt]) : values[prompt];
  }
  const double mean = prompts.empty() ? 0 : sum / static_cast<double>(prompts.size());
  return scale == Scale::kGeometric && !prompts.empty() ? std::exp(mean) : mean;
}

// The values of the prompts that have one in every metric, metric by metric.
std::vector<std::vector<double>> common_values(std::span<const Metric* const> metrics) {
  std::vector<std::vector<double>> common(metrics.size());
  for (std::size_t prompt = 0; prompt < metrics.front()->values.size(); ++prompt) {
    const bool all = std::ranges::none_of(
        metrics, [&](const Metric* metric) { return std::isnan(metric->values[prompt]); });
    if (!all) continue;
    for (std::size_t i = 0; i < metrics.size(); ++i) {
      common[i].push_back(metrics[i]->values[prompt]);
    }
  }
  return common;
}

std::size_t count_ones(std::span<const double> values) {
  return static_cast<std::size_t>(std::ranges::count(values, 1.0));
}

}  // namespace

Figure summarise(const Metric& metric, std::uint64_t seed) {
  const Metric* const only = &metric;
  const std::vector<double> values = std::move(common_values(std::span(&only, 1)).front());
  const std::size_t n = values.size();
  Figure figure{metric.name, metric.scale, {}, 0, std::nullopt};
  if (metric.scale == Scale::kShare) {
    figure.count = count_ones(values);
    const Proportion share{figure.count, n};
    figure.estimate = {share.value(), share.interval(), n};
  } else if (n > 0) {
    figure.estimate = cluster_bootstrap(n, seed, [&](std::span<const std::uint32_t> prompts) {
      return figure_of(metric.scale, values, prompts);
    });
  }
  if (metric.is_share() && n > 0) {
    const bool none = std::ranges::all_of(values, [](double value) { return value == 0; });
    const bool all = std::ranges::all_of(values, [](double value) { return value == 1; });
    if (none) figure.zero_upper = zero_event_upper(n);
    if (metric.scale == Scale::kRate && none) figure.estimate.interval.high = zero_event_upper(n);
    if (metric.scale == Scale::kRate && all) figure.estimate.interval.low = 1 - zero_event_upper(n);
  }
  return figure;
}

MetricComparison compare(const Metric& a, const Metric& b, std::uint64_t seed) {
  const std::array<const Metric*, 2> both{&a, &b};
  const auto values = common_values(both);
  const std::vector<double>&of_a = values[0], &of_b = values[1];
  MetricComparison comparison;
  comparison.metric = a.name;
  comparison.n = of_a.size();
  if (comparison.n == 0) return comparison;
  comparison.difference =
      cluster_bootstrap(of_a.size(), seed, [&](std::span<const std::uint32_t> prompts) {
        return figure_of(a.scale, of_b, prompts) - figure_of(a.scale, of_a, prompts);
      });
  const Estimate ratio =
      cluster_bootstrap(of_a.size(), seed, [&](std::span<const std::uint32_t> prompts) {
        return figure_of(a.scale, of_b, prompts) / figure_of(a.scale, of_a, prompts);
      });
  if (std::isfinite(ratio.value)) comparison.ratio = ratio;
  if (a.scale == Scale::kShare) {
    for (std::size_t i = 0; i < of_a.size(); ++i) {
      if (of_a[i] > of_b[i]) ++comparison.only_a;
      if (of_b[i] > of_a[i]) ++comparison.only_b;
    }
    comparison.p = mcnemar_exact_p(comparison.only_a, comparison.only_b);
  }
  return comparison;
}

Estimate share_recovered(const Metric& base, const Metric& patched, const Metric& reference,
                         std::uint64_t seed) {
  const std::array<const Metric*, 3> all{&base, &patched, &reference};
  const auto values = common_values(all);
  if (values[0].empty()) return {};
  const Estimate share =
      cluster_bootstrap(values[0].size(), seed, [&](std::span<const std::uint32_t> prompts) {
        const double from = figure_of(base.scale, values[0], prompts);
        return (from - figure_of(base.scale, values[1], prompts)) /
               (from - figure_of(base.scale, values[2], prompts));
      });
  return std::isfinite(share.value) ? share : Estimate{};
}

}  // namespace llmpatch
