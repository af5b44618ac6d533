// Whether a run's options go together, before any work.
#pragma once

#include "base/result.h"
#include "learn/learn.h"

namespace llmpatch {

// Options that contradict each other or are out of range: kInvalidArgument.
Status check_learn_options(const LearnOptions& options);

}  // namespace llmpatch
