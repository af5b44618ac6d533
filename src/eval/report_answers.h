// Prompts and answers side by side, as HTML. Internal to eval/.
#pragma once

#include <string>

#include "eval/evaluate.h"

namespace llmpatch {

// The answers of one suite: a few in full, those that went wrong with the patch (a harmful prompt
// answered, a benign one refused), and all of them folded away, at most kShownPrompts. The whole
// part is folded when the suite's prompts are harmful.
std::string answers_html(const SuiteResult& suite);

inline constexpr std::size_t kShownPrompts = 300;

}  // namespace llmpatch
