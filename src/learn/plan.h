// What a run says before it begins.
#pragma once

#include <string>

#include "learn/learn.h"
#include "learn/settings.h"

namespace llmpatch {

// One line: what is learned from, the steps, and how many tokens are generated at most.
// `arithmetic` is what matrix products are done in, `threads` how many work.
std::string plan_text(const LearnOptions& options, const LearnData& data,
                      const std::string& arithmetic, int threads);

}  // namespace llmpatch
