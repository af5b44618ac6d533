// Statistics of an evaluation: intervals of proportions and means, and the paired comparison of two
// systems on the same prompts. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace llmpatch {

struct Interval {
  double low = 0;
  double high = 0;

  bool operator==(const Interval&) const = default;
};

// `count` of `n`. Without observations (n = 0) the value is 0 and the interval [0, 1].
struct Proportion {
  std::size_t count = 0;
  std::size_t n = 0;

  double value() const;
  Interval interval() const;  // wilson_interval(count, n)
  bool operator==(const Proportion&) const = default;
};

// A mean over `n` prompts with its 95 % interval.
struct Estimate {
  double value = 0;
  Interval interval;
  std::size_t n = 0;
};

// Wilson's score interval at 95 % (z = 1.959964), without continuity correction. `count` <= `n`;
// [0, 1] for n = 0.
Interval wilson_interval(std::size_t count, std::size_t n);

// Upper 95 % limit of a proportion of which no event was seen in n trials: 1 - .05^(1/n); 1 for
// n = 0.
double zero_event_upper(std::size_t n);

// McNemar's exact two-sided p from the discordant pairs: `only_a` prompts where A alone has the
// outcome, `only_b` where B alone has it. min(1, 2 P[X <= min(only_a, only_b)]), X ~ Bin(a + b,
// 1/2), summed in log space. 1 without discordant pairs; may underflow to 0 beyond 1074 of them.
double mcnemar_exact_p(std::size_t only_a, std::size_t only_b);

inline constexpr std::size_t kBootstrapResamples = 10000;

// A statistic of a sample of clusters (prompts with all their answers), given by their indices.
using ClusterStatistic = std::function<double(std::span<const std::uint32_t> clusters)>;

// `statistic` of the clusters 0 .. n-1 with a percentile bootstrap interval: whole clusters are
// drawn, so that what hangs together stays together. Draws are a function of (seed, resample,
// draw): statistics of the same prompts under one seed see the same resamples. Resamples whose
// statistic is not finite (a ratio to nothing) are left out; when all are, or for n = 0, the
// interval is the value itself.
Estimate cluster_bootstrap(std::size_t n, std::uint64_t seed, const ClusterStatistic& statistic,
                           std::size_t resamples = kBootstrapResamples);

// The middle of `values`, the mean of the two middle ones for an even number; 0 for none.
double median(std::vector<double> values);

// Holm's step-down adjustment of a family of p-values, in their order: the i-th smallest of m
// (from 0) becomes the largest (m - j) p_j of those up to it, at most 1. A family in which every
// adjusted p below .05 is called significant errs once in 20 at most.
std::vector<double> holm_adjusted(std::span<const double> p);

// The mean of `values` (one per prompt) with a percentile bootstrap interval over prompts. Draws
// are a function of (seed, resample, draw), so the same values and seed give the same interval
// everywhere. No values: 0 with [0, 0] and n = 0.
Estimate bootstrap_mean(std::span<const double> values, std::uint64_t seed,
                        std::size_t resamples = kBootstrapResamples);

// The same on a log scale: exp of the mean and of the interval's ends of log(values). For ratios
// and perplexities; every value must be positive.
Estimate bootstrap_geometric_mean(std::span<const double> values, std::uint64_t seed,
                                  std::size_t resamples = kBootstrapResamples);

}  // namespace llmpatch
