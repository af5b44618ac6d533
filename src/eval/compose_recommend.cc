#include "eval/compose_recommend.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "eval/format.h"

namespace llmpatch {
namespace {

constexpr double kRounding = 1e-9;  // shares of prompts are quotients

std::string percent(double share) { return fixed(100 * share, 1) + " %"; }

KeptImprovement kept_of(const ComposeTable& table, std::size_t mode, std::size_t patch,
                        const ComposeLimits& limits, std::uint64_t seed) {
  KeptImprovement kept;
  kept.patch = patch;
  const ModeMetric* metric = table.find(table.patches[patch].domain);
  if (metric == nullptr) return kept;
  const Metric& alone = metric->modes[table.alone(patch)];
  kept.alone = improvement(metric->base, alone, metric->higher_is_better, seed);
  if (kept.alone.n == 0 || kept.alone.value <= 0) return kept;
  kept.kept = share_recovered(metric->base, metric->modes[mode], alone, seed);
  kept.enough = kept.kept.n > 0 && kept.kept.value >= limits.kept - kRounding;
  return kept;
}

OverRefusalCheck check_of(const ComposeTable& table, const ModeMetric& metric, std::size_t mode,
                          const ComposeLimits& limits) {
  OverRefusalCheck check;
  check.suite = metric.suite;
  check.value = metric.mode_figures[mode].estimate.value;
  for (const std::size_t patch : table.modes[mode].patches) {
    check.alone = std::max(check.alone, metric.mode_figures[table.alone(patch)].estimate.value);
  }
  check.within = check.value <= check.alone + limits.over_refusal + kRounding;
  return check;
}

// Why a patch keeps too little.
std::string reason_of(const ComposeTable& table, const KeptImprovement& kept,
                      const ComposeLimits& limits) {
  const StudiedPatch& patch = table.patches[kept.patch];
  const std::string metric = patch.domain.text();
  if (kept.alone.n == 0) return patch.name + ": " + metric + " was not measured";
  if (kept.kept.n == 0) return patch.name + " alone does not improve " + metric;
  return patch.name + " keeps " + percent(kept.kept.value) + " of what it improves alone in " +
         metric + ", expected " + percent(limits.kept);
}

ModeVerdict judge(const ComposeTable& table, std::size_t mode, const ComposeLimits& limits,
                  std::uint64_t seed) {
  ModeVerdict verdict;
  for (const std::size_t patch : table.modes[mode].patches) {
    verdict.kept.push_back(kept_of(table, mode, patch, limits, seed));
    const KeptImprovement& kept = verdict.kept.back();
    if (!kept.enough) verdict.reasons.push_back(reason_of(table, kept, limits));
  }
  for (const ModeMetric& metric : table.metrics) {
    if (!metric.over_refusal) continue;
    verdict.over_refusal.push_back(check_of(table, metric, mode, limits));
    const OverRefusalCheck& check = verdict.over_refusal.back();
    if (check.within) continue;
    verdict.reasons.push_back("refuses " + percent(check.value) + " of " + check.suite +
                              ", expected at most " + percent(check.alone + limits.over_refusal) +
                              " (alone " + percent(check.alone) + ")");
  }
  if (verdict.over_refusal.empty()) {
    verdict.reasons.push_back("over-refusal was not measured: no suite has prompts to be answered");
  }
  verdict.meets = verdict.reasons.empty();
  return verdict;
}

// Larger is better; parallel wins a tie.
std::tuple<double, double, bool> rank(const ComposeMode& mode, const ModeVerdict& verdict) {
  double kept = 1;
  for (const KeptImprovement& each : verdict.kept) kept = std::min(kept, each.kept.value);
  double over = -std::numeric_limits<double>::infinity();
  for (const OverRefusalCheck& each : verdict.over_refusal) {
    over = std::max(over, each.value - each.alone);
  }
  return {kept, -over, mode.compose == Compose::kParallel};
}

}  // namespace

Recommendation recommend(const ComposeTable& table, const ComposeLimits& limits,
                         std::uint64_t seed) {
  Recommendation recommendation;
  for (std::size_t i = 0; i < table.modes.size(); ++i) {
    const ComposeMode& mode = table.modes[i];
    recommendation.modes.push_back(mode.is_alone() ? ModeVerdict{} : judge(table, i, limits, seed));
    if (mode.patches.size() < table.patches.size() || !recommendation.modes[i].meets) continue;
    std::optional<std::size_t>& best = recommendation.mode;
    if (!best || rank(table.modes[*best], recommendation.modes[*best]) <
                     rank(mode, recommendation.modes[i])) {
      best = i;
    }
  }
  return recommendation;
}

}  // namespace llmpatch
