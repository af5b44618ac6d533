// Charts of report.html as SVG, drawn by nobody but us: they need no script, and print. Internal to
// eval/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/report_card.h"
#include "eval/report_scale.h"

namespace llmpatch {

// A point of two figures: what a system is worth in two ways.
struct ScatterPoint {
  std::size_t system = kNoSystem;
  ReportFigure x, y;
};

struct ScatterChart {
  std::string x_title, y_title;  // plain text; both axes are shares of which more is better
  std::vector<ScatterPoint> points;
};

// The chart, 360 by 260: a mark and a letter a system, its intervals as a cross, dashed lines
// through the models alone. "" without points.
std::string scatter_svg(const ScatterChart& chart, const std::vector<ReportSystem>& systems);

struct LineSeries {
  std::string colour, dashes, shape;          // report_marks.h; no shape: a line alone
  std::vector<std::optional<double>> values;  // by step; gaps are bridged
  std::vector<std::optional<std::pair<double, double>>> intervals;  // by step; may be empty
};

struct LineChart {
  std::string title;                // for screen readers
  std::string x_title;              // plain text
  std::vector<std::string> labels;  // of the steps
  // Where another part begins, with its name: a stage of learning.
  std::vector<std::pair<std::size_t, std::string>> parts;
  bool percent = false;
  bool whole_share = false;  // an axis from 0 to 100 %
  std::vector<LineSeries> series;
};

// The chart, 360 by 220. "" without a value.
std::string line_svg(const LineChart& chart);

}  // namespace llmpatch
