// Takes the metrics of one mode out of its evaluation. The one place of a composition study that
// knows how an evaluation holds its systems. Internal to eval/.
#pragma once

#include "eval/compose_table.h"
#include "eval/evaluate.h"

namespace llmpatch {

// Adds the next mode of `table`, which `result` measured beside the model alone: with the first one
// come the metrics and the base's values. A metric that not every mode has (the share of answers
// without a verdict) is left out.
void add_mode(const EvalResult& result, ComposeTable& table);

}  // namespace llmpatch
