// What report.js draws, as JSON. Internal to eval/.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "eval/evaluate.h"

namespace llmpatch {

// A system as people call it: "base model", "safety system prompt", "patch"; a further one by its
// label, which is not escaped.
std::string_view system_label(const System& system);

// One chart of learning curves: the metrics of metrics.jsonl that share the name before their '/'.
struct Curve {
  std::string title;
  OrderedJson json;  // {"labels": ["sft 1", ...], "series": [{"name", "values": [number|null]}]}
};

// Curves of all numeric members of `metrics` but `step`, over the steps of each `stage` in file
// order; members that are missing in a line leave a gap.
std::vector<Curve> learning_curves(const std::vector<JsonLine>& metrics);

// {"refusals": {"labels": suites, "systems": [{"name", "colour", "value", "low", "high"}]},
//  "curves": [...]}; refusals in percent.
OrderedJson chart_data(const EvalResult& result, const std::vector<Curve>& curves);

}  // namespace llmpatch
