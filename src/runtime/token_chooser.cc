#include "runtime/token_chooser.h"

#include <cmath>
#include <limits>
#include <utility>

namespace llmpatch {

TokenChooser::TokenChooser(const ServingSampling& sampling, std::unique_ptr<Grammar> grammar,
                           const AnswerRandom& random)
    : sampling_(sampling), grammar_(std::move(grammar)), random_(random) {}

// OpenAI's definition: presence once, frequency for every time the token is in the answer so far.
void TokenChooser::adjust(std::span<float> logits) const {
  for (const auto& [token, bias] : sampling_.logit_bias) {
    logits[static_cast<std::size_t>(token)] += bias;
  }
  for (const auto& [token, count] : counts_) {
    logits[static_cast<std::size_t>(token)] -=
        sampling_.presence_penalty + sampling_.frequency_penalty * static_cast<float>(count);
  }
}

std::optional<Token> TokenChooser::choose(std::span<const float> logits, ChooserScratch& scratch) {
  const bool sampled = sampling_.base.temperature > 0;
  const double uniform = sampled ? random_.uniform(position_) : 0;
  const auto sample = [&](std::span<const float> from) {
    return scratch.sampler.sample(from, sampling_.base, uniform, sampling_.min_p);
  };
  if (sampling_.logit_bias.empty() && counts_.empty() && grammar_ == nullptr) return sample(logits);

  scratch.logits.assign(logits.begin(), logits.end());
  adjust(scratch.logits);
  if (grammar_ == nullptr) return sample(scratch.logits);
  // Asking for one token is far cheaper than asking for all of them.
  const Token first = scratch.sampler.greedy(scratch.logits);
  if (!sampled && grammar_->allows(first)) return first;
  grammar_->mask(scratch.logits);
  const Token best = scratch.sampler.greedy(scratch.logits);
  if (!std::isfinite(scratch.logits[static_cast<std::size_t>(best)])) return std::nullopt;
  return sampled ? sample(scratch.logits) : best;
}

Status TokenChooser::accept(Token token) {
  ++position_;
  if (sampling_.presence_penalty != 0 || sampling_.frequency_penalty != 0) ++counts_[token];
  if (grammar_ == nullptr) return {};
  return grammar_->accept(token);
}

}  // namespace llmpatch
