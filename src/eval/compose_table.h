// What a composition study measured: metrics of the model alone and of every mode, on the same
// prompts. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "eval/compose_domain.h"
#include "eval/compose_modes.h"
#include "eval/metric.h"

namespace llmpatch {

// A patch under study and what tells whether it works.
struct StudiedPatch {
  std::string name, version;
  std::string digest;  // of its rows
  std::string risk;
  MetricName domain;
};

// One metric, prompt by prompt; `modes` are parallel to ComposeTable::modes.
struct ModeMetric {
  std::string suite;
  Metric base;
  std::vector<Metric> modes;
  bool higher_is_better = false;
  bool over_refusal = false;  // refusals of prompts that should be answered
  bool headline = false;      // stands for its suite
  Figure base_figure;         // summarise_table
  std::vector<Figure> mode_figures;

  MetricName name() const { return {suite, base.name}; }
};

// A figure that the rule of recommendation does not look at, such as the divergence from the base
// model; n = 0 where it was not measured.
struct ModeFigure {
  std::string suite, name;
  Estimate base;
  std::vector<Estimate> modes;
};

struct ComposeTable {
  std::vector<StudiedPatch> patches;
  std::vector<ComposeMode> modes;  // compose_modes() of the patches
  std::vector<ModeMetric> metrics;
  std::vector<ModeFigure> figures;

  const ModeMetric* find(const MetricName& name) const;  // null when not measured
  // The place among `modes` of patch `patch` alone.
  std::size_t alone(std::size_t patch) const;
  std::vector<std::string> names() const;  // of the patches
};

// Fills the figures of every metric; `seed` is the bootstrap's.
void summarise_table(ComposeTable& table, std::uint64_t seed);

// By how much `changed` is better than `base`, paired by prompt: above 0 is better.
Estimate improvement(const Metric& base, const Metric& changed, bool higher_is_better,
                     std::uint64_t seed);

}  // namespace llmpatch
