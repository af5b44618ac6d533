// The card of an evaluation: eval.json for machines and patches, a table for the terminal.
#pragma once

#include <string>

#include "base/json.h"
#include "eval/evaluate.h"

namespace llmpatch {

// eval.json (docs/format.md): schema, tool, model, patches, decoding, judges, suites with every
// metric as {value, low, high, n}, comparisons, side effects, compliance, timing, seconds. Holds no
// prompt and no answer.
OrderedJson eval_card(const EvalResult& result);

// Before and after, aligned, for a terminal of 100 columns; ends with a newline.
std::string eval_table(const EvalResult& result);

}  // namespace llmpatch
