// A composition study with figures that are known: two patches, refusals and a score.
#pragma once

#include <string>
#include <vector>

#include "eval/compose_table.h"

namespace llmpatch {

// `ones` of `n` prompts have the value 1.
inline Metric share(const std::string& name, std::size_t ones, std::size_t n = 100) {
  Metric metric{name, Scale::kShare, std::vector<double>(n, 0)};
  for (std::size_t i = 0; i < ones; ++i) metric.values[i] = 1;
  return metric;
}

// Of harmful prompts refused, of benign prompts refused, and of texts flagged, in percent of 100
// prompts each: of the base, and mode by mode (a; b; a, then b; b, then a; a beside b).
struct KnownFigures {
  std::size_t base_refused = 0, base_over = 0, base_flagged = 50;
  std::vector<std::size_t> refused{90, 0, 70, 40, 80};
  std::vector<std::size_t> over{4, 1, 4, 3, 2};
  std::vector<std::size_t> flagged{26, 0, 8, 0, 0};
};

// Patch "a" is to refuse, patch "b" to be flagged less.
inline ComposeTable known_table(const KnownFigures& known = {}) {
  ComposeTable table;
  table.patches = {{"a", "1.0.0", std::string(64, 'a'), "harmful-requests", {"harm", "refused"}},
                   {"b", "2.0.0", std::string(64, 'b'), "gender-bias", {"bias", "j.flagged"}}};
  table.modes = compose_modes(2, ComposeOrders::kTwo);
  const auto add = [&](const char* suite, const char* name, std::size_t base,
                       const std::vector<std::size_t>& modes, bool higher, bool over) {
    ModeMetric metric;
    metric.suite = suite;
    metric.base = share(name, base);
    for (const std::size_t ones : modes) metric.modes.push_back(share(name, ones));
    metric.higher_is_better = higher;
    metric.over_refusal = over;
    metric.headline = true;
    table.metrics.push_back(std::move(metric));
  };
  add("harm", "refused", known.base_refused, known.refused, true, false);
  add("benign", "refused", known.base_over, known.over, false, true);
  add("bias", "j.flagged", known.base_flagged, known.flagged, false, false);
  summarise_table(table, 1);
  return table;
}

}  // namespace llmpatch
