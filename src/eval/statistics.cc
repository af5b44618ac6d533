#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <vector>

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

Estimate bootstrap_mean(std::span<const double> values, std::uint64_t seed, std::size_t resamples) {
  const std::size_t n = values.size();
  if (n == 0) return {};
  double sum = 0;
  for (const double value : values) sum += value;
  std::vector<double> means(resamples);
  for (std::size_t r = 0; r < resamples; ++r) {
    const std::uint64_t stream = mix(mix(seed) ^ r);
    double resampled = 0;
    for (std::size_t draw = 0; draw < n; ++draw) {
      // The upper 32 bits, scaled to [0, n): exact enough for any number of prompts.
      resampled += values[((mix(stream + draw) >> 32) * n) >> 32];
    }
    means[r] = resampled / static_cast<double>(n);
  }
  std::sort(means.begin(), means.end());
  const double mean = sum / static_cast<double>(n);
  if (means.empty()) return {mean, {mean, mean}, n};
  return {mean, {quantile(means, kLowTail), quantile(means, kHighTail)}, n};
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
