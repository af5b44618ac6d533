// The forest plots of report.html: a table with a row per system, its number, and the number drawn
// with its interval on an axis that all systems share. Internal to eval/.
#pragma once

#include <string>
#include <vector>

#include "eval/report_card.h"
#include "eval/report_metric.h"

namespace llmpatch {

// The systems' figures of one metric (or category, or template).
struct ForestGroup {
  std::string title_html;  // escaped by whoever makes it
  std::string hint;        // plain text: "lower is safer"
  const ReportMetric* metric = nullptr;
  bool percent = false;
  bool bars = false;        // bars from 0 on an axis of shares, not points
  std::size_t prompts = 0;  // of the suite: figures of fewer say so
  // What stands beside a system's figure, by its index, escaped: a p-value, a warning.
  std::vector<std::pair<std::size_t, std::string>> remarks;
};

// The table; "" without a figure. A dashed line goes through the rows where the models alone are.
// The drawing is hidden from screen readers, which the cells beside it tell the same.
std::string forest_html(const std::string& caption_html, const std::vector<ForestGroup>& groups,
                        const std::vector<ReportSystem>& systems);

}  // namespace llmpatch
