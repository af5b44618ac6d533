// Log-probabilities of tokens as servers report them.
#pragma once

#include <span>

#include "runtime/serving_engine.h"

namespace llmpatch {

// The natural logarithm of the softmax over all logits at `token`, and the `top` most likely tokens
// with theirs, most likely first (of equal ones the first).
TokenLogprob token_logprob(std::span<const float> logits, Token token, int top);

}  // namespace llmpatch
