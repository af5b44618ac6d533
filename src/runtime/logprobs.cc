#include "runtime/logprobs.h"

#include <algorithm>

#include "runtime/sampling.h"

namespace llmpatch {

TokenLogprob token_logprob(std::span<const float> logits, Token token, int top) {
  const LogSoftmax log_softmax(logits);
  const auto at = [&](Token id) { return log_softmax(logits[static_cast<std::size_t>(id)]); };
  TokenLogprob made{token, at(token), {}};
  // The most likely so far, in order; a token rarely gets among them.
  auto& best = made.top;
  const auto limit = static_cast<std::size_t>(std::max(top, 0));
  for (std::size_t id = 0; id < logits.size() && limit > 0; ++id) {
    if (best.size() == limit && !(logits[id] > best.back().second)) continue;
    if (best.size() == limit) best.pop_back();
    const auto behind = [](float logit, const auto& entry) { return logit > entry.second; };
    best.insert(std::upper_bound(best.begin(), best.end(), logits[id], behind),
                {static_cast<Token>(id), logits[id]});
  }
  for (auto& [id, value] : best) value = log_softmax(value);
  return made;
}

}  // namespace llmpatch
