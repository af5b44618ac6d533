#include "runtime/token_chooser.h"

#include <cmath>
#include <cstdint>
#include <utility>

namespace llmpatch {
namespace {

constexpr std::uint32_t kRedraw = std::uint32_t{1} << 31;  // beyond all positions

}  // namespace

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

Result<std::optional<Token>> TokenChooser::choose(std::span<const float> logits,
                                                  ChooserScratch& scratch) {
  const Sampling& base = sampling_.base;
  const bool sampled = base.temperature > 0;
  const bool is_free = grammar_ == nullptr || grammar_->waits();
  const auto sample = [&](std::span<const float> from, std::uint32_t position) {
    return std::optional(scratch.sampler.sample(from, base, sampled ? random_.uniform(position) : 0,
                                                sampling_.min_p));
  };
  if (sampling_.logit_bias.empty() && counts_.empty() && is_free) {
    return sample(logits, position_);
  }
  scratch.logits.assign(logits.begin(), logits.end());
  adjust(scratch.logits);
  if (is_free) return sample(scratch.logits, position_);

  // Asking the grammar for one token is far cheaper than asking for all. Where nothing is cut off
  // before the draw, drawing again among the allowed tokens when the first is none of them gives
  // each its share.
  if (!sampled || (base.top_k == 0 && base.top_p >= 1 && sampling_.min_p <= 0)) {
    const std::optional<Token> first = sample(scratch.logits, position_);
    if (grammar_->allows(*first)) return first;
  }
  LLMPATCH_TRY(grammar_->mask(scratch.logits));
  const Token best = scratch.sampler.greedy(scratch.logits);
  if (!std::isfinite(scratch.logits[static_cast<std::size_t>(best)])) {
    return std::optional<Token>();
  }
  return sampled ? sample(scratch.logits, position_ | kRedraw) : std::optional(best);
}

Status TokenChooser::accept(Token token) {
  ++position_;
  if (sampling_.presence_penalty != 0 || sampling_.frequency_penalty != 0) ++counts_[token];
  if (grammar_ == nullptr) return {};
  return grammar_->accept(token);
}

}  // namespace llmpatch
