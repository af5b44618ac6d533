// compose.json of a composition study.
#include "eval/compose_report.h"
#include "eval/format.h"

namespace llmpatch {
namespace {

// Null where nothing was measured.
OrderedJson to_json(const Estimate& estimate) {
  if (estimate.n == 0) return {};
  return {{"value", rounded(estimate.value)},
          {"low", rounded(estimate.interval.low)},
          {"high", rounded(estimate.interval.high)},
          {"n", estimate.n}};
}

OrderedJson to_json(const Figure& figure) {
  OrderedJson json = to_json(figure.estimate);
  if (json.is_null()) return json;
  if (figure.scale == Scale::kShare) json["count"] = figure.count;
  if (figure.zero_upper) json["zero_event_upper"] = rounded(*figure.zero_upper);
  return json;
}

OrderedJson patches_json(const ComposeTable& table) {
  OrderedJson patches = OrderedJson::array();
  for (const StudiedPatch& patch : table.patches) {
    const ModeMetric* metric = table.find(patch.domain);
    patches.push_back({{"name", patch.name},
                       {"version", patch.version},
                       {"rows_sha256", patch.digest},
                       {"risk", patch.risk},
                       {"suite", patch.domain.suite},
                       {"metric", patch.domain.metric},
                       {"higher_is_better", metric != nullptr && metric->higher_is_better}});
  }
  return patches;
}

OrderedJson mode_json(const ComposeTable& table, const ComposeMode& mode) {
  OrderedJson patches = OrderedJson::array();
  for (const std::size_t patch : mode.patches) patches.push_back(table.patches[patch].name);
  return {{"mode", mode_label(mode, table.names())},
          {"compose", mode_kind(mode)},
          {"patches", patches}};
}

OrderedJson verdict_json(const ComposeTable& table, const ModeVerdict& verdict) {
  OrderedJson kept = OrderedJson::array(), over = OrderedJson::array();
  for (const KeptImprovement& each : verdict.kept) {
    kept.push_back({{"patch", table.patches[each.patch].name},
                    {"improvement_alone", to_json(each.alone)},
                    {"kept", to_json(each.kept)},
                    {"enough", each.enough}});
  }
  for (const OverRefusalCheck& each : verdict.over_refusal) {
    over.push_back({{"suite", each.suite},
                    {"value", rounded(each.value)},
                    {"alone", rounded(each.alone)},
                    {"within", each.within}});
  }
  return {{"meets", verdict.meets},
          {"kept", kept},
          {"over_refusal", over},
          {"reasons", verdict.reasons}};
}

OrderedJson modes_json(const ComposeResult& result) {
  const ComposeTable& table = result.table;
  OrderedJson modes = OrderedJson::array();
  for (std::size_t i = 0; i < table.modes.size(); ++i) {
    OrderedJson mode = mode_json(table, table.modes[i]);
    if (!table.modes[i].is_alone()) {
      mode.update(verdict_json(table, result.recommendation.modes[i]));
    }
    modes.push_back(std::move(mode));
  }
  return modes;
}

// A figure of every mode, in the order of `modes`.
template <class T>
OrderedJson list_json(const std::vector<T>& figures) {
  OrderedJson list = OrderedJson::array();
  for (const T& figure : figures) list.push_back(to_json(figure));
  return list;
}

OrderedJson metrics_json(const ComposeTable& table) {
  OrderedJson metrics = OrderedJson::array();
  for (const ModeMetric& metric : table.metrics) {
    metrics.push_back({{"suite", metric.suite},
                       {"metric", metric.base.name},
                       {"higher_is_better", metric.higher_is_better},
                       {"base", to_json(metric.base_figure)},
                       {"modes", list_json(metric.mode_figures)}});
  }
  for (const ModeFigure& figure : table.figures) {
    metrics.push_back({{"suite", figure.suite},
                       {"metric", figure.name},
                       {"higher_is_better", false},
                       {"base", to_json(figure.base)},
                       {"modes", list_json(figure.modes)}});
  }
  return metrics;
}

}  // namespace

OrderedJson compose_json(const ComposeResult& result) {
  const ComposeTable& table = result.table;
  const EvalOptions& eval = result.options.eval;
  OrderedJson seconds = OrderedJson::object();
  for (const auto& [mode, spent] : result.seconds) seconds[mode] = rounded(spent);
  const std::optional<std::size_t>& best = result.recommendation.mode;
  return {{"schema", 1},
          {"tool", eval.tool_version},
          {"command", eval.command},
          {"model",
           {{"file", std::filesystem::path(result.model_path).filename().string()},
            {"sha256", result.model_sha256},
            {"architecture", result.architecture}}},
          {"kv", eval.engine.exact ? "f32" : "f16"},
          {"seed", eval.seed},
          {"patches", patches_json(table)},
          {"limits",
           {{"kept", result.options.limits.kept},
            {"over_refusal", result.options.limits.over_refusal}}},
          {"recommended", best ? mode_json(table, table.modes[*best]) : OrderedJson()},
          {"modes", modes_json(result)},
          {"metrics", metrics_json(table)},
          {"generated_tokens", result.generated_tokens},
          {"seconds", seconds}};
}

}  // namespace llmpatch
