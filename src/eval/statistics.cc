#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace llmpatch {
namespace {

constexpr double kZ = 1.959963984540054;  // standard normal quantile of .975
constexpr double kLowTail = 0.025, kHighTail = 0.975;

// SplitMix64's finaliser: a bijection of 64 bits that passes as random when fed a counter.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

// Linear interpolation between the order statistics of `sorted` (not empty).
double quantile(const std::vector<double>& sorted, double q) {
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double share = position - static_cast<double>(below);
  return sorted[below] + share * (sorted[above] - sorted[below]);
}

}  // namespace

double Proportion::value() const {
  return n == 0 ? 0 : static_cast<double>(count) / static_cast<double>(n);
}

Interval Proportion::interval() const { return wilson_interval(count, n); }

Interval wilson_interval(std::size_t count, std::size_t n) {
  if (n == 0) return {0, 1};
  const double trials = static_cast<double>(n);
  const double p = static_cast<double>(count) / trials;
  const double z2 = kZ * kZ;
  const double centre = (p + z2 / (2 * trials)) / (1 + z2 / trials);
  const double half =
      kZ * std::sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials)) / (1 + z2 / trials);
  // The ends are exact where rounding would leave a speck beyond them.
  return {count == 0 ? 0 : std::max(0.0, centre - half),
          count == n ? 1 : std::min(1.0, centre + half)};
}

double zero_event_upper(std::size_t n) {
  return n == 0 ? 1 : 1 - std::pow(0.05, 1 / static_cast<double>(n));
}

double mcnemar_exact_p(std::size_t only_a, std::size_t only_b) {
  const std::size_t n = only_a + only_b;
  if (n == 0) return 1;
  const double pairs = static_cast<double>(n);
  double log_term = -pairs * std::log(2.0);  // of P[X = 0]
  double tail = std::exp(log_term);
  for (std::size_t k = 1; k <= std::min(only_a, only_b); ++k) {
    const double successes = static_cast<double>(k);
    log_term += std::log((pairs - successes + 1) / successes);
    tail += std::exp(log_term);
  }
  return std::min(1.0, 2 * tail);
}

Estimate cluster_bootstrap(std::size_t n, std::uint64_t seed, const ClusterStatistic& statistic,
                           std::size_t resamples) {
  std::vector<std::uint32_t> clusters(n);
  std::iota(clusters.begin(), clusters.end(), 0U);
  const double value = statistic(clusters);
  std::vector<double> resampled;
  for (std::size_t r = 0; r < resamples && n > 0; ++r) {
    const std::uint64_t stream = mix(mix(seed) ^ r);
    for (std::size_t draw = 0; draw < n; ++draw) {
      // The upper 32 bits, scaled to [0, n): exact enough for any number of prompts.
      clusters[draw] = static_cast<std::uint32_t>(((mix(stream + draw) >> 32) * n) >> 32);
    }
    const double one = statistic(clusters);
    if (std::isfinite(one)) resampled.push_back(one);
  }
  if (resampled.empty()) return {value, {value, value}, n};
  std::sort(resampled.begin(), resampled.end());
  return {value, {quantile(resampled, kLowTail), quantile(resampled, kHighTail)}, n};
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

std::vector<double> holm_adjusted(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, static_cast<double>(order.size() - i) * p[order[i]]);
    adjusted[order[i]] = std::min(1.0, largest);
  }
  return adjusted;
}

Estimate bootstrap_mean(std::span<const double> values, std::uint64_t seed, std::size_t resamples) {
  if (values.empty()) return {};
  return cluster_bootstrap(
      values.size(), seed,
      [values](std::span<const std::uint32_t> prompts) {
        double sum = 0;
        for (const std::uint32_t prompt : prompts) sum += values[prompt];
        return sum / static_cast<double>(prompts.size());
      },
      resamples);
}

Estimate bootstrap_geometric_mean(std::span<const double> values, std::uint64_t seed,
                                  std::size_t resamples) {
  if (values.empty()) return {};
  std::vector<double> logs;
  logs.reserve(values.size());
  for (const double value : values) logs.push_back(std::log(value));
  const Estimate mean = bootstrap_mean(logs, seed, resamples);
  return {
      std::exp(mean.value), {std::exp(mean.interval.low), std::exp(mean.interval.high)}, mean.n};
}

}  // namespace llmpatch
