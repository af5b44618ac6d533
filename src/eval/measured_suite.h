// What a suite of any kind but "refusal" measured: metrics per system, compared pair by pair.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/metric.h"
#include "eval/suite.h"
#include "eval/system.h"

namespace llmpatch {

// One system on one suite.
struct SystemMetrics {
  System system = System::kBase;
  std::vector<Metric> metrics;     // of equal length, in the order of the suite's prompts
  std::vector<Figure> figures;     // one per metric (finish)
  std::vector<std::string> notes;  // what a reader must know of the figures
};

struct SystemComparison {
  System a = System::kBase, b = System::kPatched;
  MetricComparison metric;
  std::optional<double> p_holm;  // p adjusted over the whole evaluation's tests
};

// The share of the reference's improvement on the base that a system recovers.
struct Recovered {
  System system = System::kPatched;
  std::string metric;
  Estimate share;
};

struct MeasuredSuite {
  Suite suite;
  std::string prompts_sha256;
  std::size_t n = 0;                  // prompts
  std::size_t raw = 0;                // of them in raw form
  OrderedJson settings;               // what else the figures depend on, for the card
  std::vector<std::string> headline;  // metrics that stand for the suite
  std::vector<SystemMetrics> systems;
  std::vector<SystemComparison> comparisons;
  std::vector<Recovered> recovered;  // system by system, metric by metric
  // One line per answer (or item) for responses.jsonl.
  std::vector<OrderedJson> responses;

  const SystemMetrics* find(const System& system) const;  // null when not measured
};

// Fills figures, comparisons (of pairs that are_compared()) and, of every other system than base
// and `reference` where these two were measured, `recovered`. Metrics that the systems do not share
// are not compared.
void finish(MeasuredSuite& suite, const std::optional<System>& reference, std::uint64_t seed);

}  // namespace llmpatch
