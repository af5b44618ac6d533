// What a metric of eval.json is called, and how its figures are written. Internal to eval/.
#pragma once

#include <string>
#include <string_view>

#include "eval/report_card.h"

namespace llmpatch {

struct MetricWords {
  std::string label;     // plain text: "flagged by refusal, greedy"
  std::string good;      // "lower is safer"; empty where neither end is good
  bool percent = false;  // a share
  bool higher_is_better = false;
};

// The words for a metric of docs/suites.md; any other is shown by its name.
MetricWords metric_words(const std::string& name);

// The parts of "refusal.flagged@5[base64]".
struct MetricName {
  std::string judge, measure, tag, variant;
};
MetricName split_metric(const std::string& name);

// "93.0 %", or three significant digits of what is no share.
std::string number_text(double value, bool percent);
// "[88.6, 95.8]"
std::string interval_text(double low, double high, bool percent);
// "93.0 % [88.6, 95.8] n 200" as HTML, with what limits it: "none seen: below 1.5 %", "50 of 200
// prompts" (`prompts`: of the suite; 0: not said). "-" for n = 0.
std::string figure_html(const ReportFigure& figure, bool percent, std::size_t prompts = 0);

}  // namespace llmpatch
