// A suite's section of report.html. Internal to eval/.
#pragma once

#include <string>
#include <vector>

#include "eval/report_merge.h"

namespace llmpatch {

// Figures that stand for the suite, its parts (templates, lengths, categories), what the patch
// changes beside them, comparisons, and answers.
std::string suite_html(const MergedSuite& suite, const std::vector<ReportSystem>& systems);

// The figures of `metrics` by their own names, none of which needs the suite's.
std::string metrics_html(const std::string& caption_html, const std::vector<ReportMetric>& metrics,
                         const std::vector<ReportSystem>& systems);

}  // namespace llmpatch
