// Metrics of suites: one value per prompt and system, from which every figure, interval and
// comparison follows. Pure functions, thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/statistics.h"

namespace llmpatch {

// How the values of the prompts become one figure.
enum class Scale {
  kShare,      // 0 or 1 per prompt: their share, with Wilson's interval
  kRate,       // a share per prompt (of its samples): the mean, cluster bootstrap
  kMean,       // any number: the mean, bootstrap
  kGeometric,  // a positive number: the geometric mean, bootstrap
  kMedian,     // any number: the median, bootstrap
};

// One metric of one system, prompt by prompt. NaN where a prompt has none (the perplexity of an
// empty answer).
struct Metric {
  std::string name;
  Scale scale = Scale::kMean;
  std::vector<double> values;

  bool is_share() const { return scale == Scale::kShare || scale == Scale::kRate; }
};

// A metric in one number with its 95 % interval.
struct Figure {
  std::string name;
  Scale scale = Scale::kMean;
  Estimate estimate;      // n: prompts that have a value
  std::size_t count = 0;  // of kShare: prompts with the value 1
  // Of shares of which nothing was seen: the upper 95 % limit (zero_event_upper of the prompts).
  std::optional<double> zero_upper;

  bool is_share() const { return scale == Scale::kShare || scale == Scale::kRate; }
};

// The figure of `metric`; `seed` is the bootstrap's. A rate that is 0 (or 1) on every prompt has
// the interval up to zero_event_upper (from its mirror image), since resampling cannot see further.
Figure summarise(const Metric& metric, std::uint64_t seed);

// The same metric of two systems a and b, on the prompts where both have a value, paired.
struct MetricComparison {
  std::string metric;
  std::size_t n = 0;
  Estimate difference;  // b - a
  Estimate ratio;       // b / a; n = 0 when a is 0
  // Of kShare: prompts where a alone, b alone has the value 1; McNemar's exact p.
  std::size_t only_a = 0, only_b = 0;
  std::optional<double> p;
};

// `a` and `b` are of one name and scale, and equally long.
MetricComparison compare(const Metric& a, const Metric& b, std::uint64_t seed);

// (base - patched) / (base - reference): the share of a reference model's improvement that a patch
// recovers, on the prompts where all three have a value. n = 0 when the reference improves nothing.
Estimate share_recovered(const Metric& base, const Metric& patched, const Metric& reference,
                         std::uint64_t seed);

}  // namespace llmpatch
