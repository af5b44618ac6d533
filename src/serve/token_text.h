// Tokens and their log-probabilities in the forms of OpenAI's API. Internal to serve/.
#pragma once

#include <cstddef>
#include <span>

#include "base/json.h"
#include "runtime/model.h"
#include "runtime/serving_engine.h"

namespace llmpatch {

// Of chat answers: a list of {token, bytes, logprob, top_logprobs}.
Json chat_logprobs(const Model& model, std::span<const TokenLogprob> tokens);

// Of completions: {tokens, token_logprobs, top_logprobs, text_offset}. `offset` is where the first
// token's text begins, in characters, and is moved to the end of the last. Without `alternatives`
// top_logprobs is null. `has_first`: the first token begins the text, so that there is no
// log-probability of it.
Json completion_logprobs(const Model& model, std::span<const TokenLogprob> tokens,
                         bool alternatives, bool has_first, std::size_t& offset);

}  // namespace llmpatch
