// What a run says before it begins.
#pragma once

#include <cstddef>
#include <string>

#include "learn/learn.h"
#include "learn/settings.h"

namespace llmpatch {

// Tokens that a teacher writes at most.
std::size_t teacher_tokens(const LearnOptions& options, const LearnData& data);

// One line: what is learned from, the steps, and how many tokens are generated at most.
// `arithmetic` is what matrix products are done in, `threads` how many work.
std::string plan_text(const LearnOptions& options, const LearnData& data,
                      const std::string& arithmetic, int threads);

}  // namespace llmpatch
