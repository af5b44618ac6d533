// The console table of an evaluation of many systems: one below the other, compared with the base.
// Internal to eval/.
#pragma once

#include <string>

#include "eval/evaluate.h"

namespace llmpatch {

// A suite's figures, metric by metric: each system's with its interval, its difference from the
// base, the adjusted p of that and the share of the reference's improvement it recovers, where
// there are such. Of measured suites the headline metrics; the rest stands in eval.json.
std::string system_rows(const SuiteResult& suite);
std::string system_rows(const MeasuredSuite& suite);

}  // namespace llmpatch
