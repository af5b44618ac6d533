// report.html: one self-contained page of an evaluation, without any request to the outside.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "eval/evaluate.h"

namespace llmpatch {

// The page: figures, charts (Chart.js is embedded), learning curves when `metrics` (the lines of
// metrics.jsonl) is not empty, and answers side by side, those to harmful prompts folded away.
// Model output and prompts are hostile: everything is escaped.
std::string report_html(const EvalResult& result, const std::vector<JsonLine>& metrics);

}  // namespace llmpatch
