// Learning curves of report.html, from the metrics.jsonl of a run. Internal to eval/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace llmpatch {

struct CurveSeries {
  std::string name;
  std::vector<std::optional<double>> values;  // by step of the curve
};

// The metrics that share the name before their '/', over the steps of all stages.
struct Curve {
  std::string title;
  std::vector<std::string> steps;                           // "12", in the order of the file
  std::vector<std::pair<std::size_t, std::string>> stages;  // where each begins
  std::vector<CurveSeries> series;
};

// A learning run that made a system of the report.
struct LearningRun {
  std::string name;
  std::vector<Curve> curves;
};

inline constexpr std::size_t kMaxCurveSeries = 256;  // of a run; more are left out

// Curves of all numeric members of `metrics` but `step`; members that are missing in a line leave a
// gap.
std::vector<Curve> learning_curves(const std::vector<JsonLine>& metrics);

// Charts with a table of first, last, lowest and highest values beside each; "" without curves.
std::string curves_html(const std::vector<LearningRun>& runs);

}  // namespace llmpatch
