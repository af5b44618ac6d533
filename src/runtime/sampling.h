// Chooses tokens from logits: greedy, or by temperature, top-k, top-p and min-p, in this order.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "runtime/engine.h"

namespace llmpatch {

// Holds scratch memory and the ids that must never be chosen. Not thread-safe.
class Sampler {
 public:
  // `suppressed` must outlive the sampler.
  explicit Sampler(const Tokens& suppressed) : suppressed_(suppressed) {}

  // The most likely token; of equal ones the first.
  Token greedy(std::span<const float> logits);
  // A token drawn with `uniform` in [0, 1) by inversion. Top-k keeps the k most likely, top-p the
  // smallest set of most likely ones whose share of what is left reaches p (at least one), min-p
  // those at least `min_p` times as likely as the most likely one. Temperature 0 is greedy.
  Token sample(std::span<const float> logits, const Sampling& sampling, double uniform,
               float min_p = 0);

 private:
  void weigh(std::span<const float> logits, float temperature);

  const Tokens& suppressed_;
  std::vector<float> weights_;  // exp((logit - max) / temperature), 0 for suppressed ids
  std::vector<float> ordered_;
  std::vector<Token> candidates_;
};

// The natural logarithm of the softmax over all logits, as a function of one of them.
class LogSoftmax {
 public:
  explicit LogSoftmax(std::span<const float> logits);
  float operator()(float logit) const { return logit - top_ - log_total_; }

 private:
  float top_, log_total_;
};

// It at `token`.
float log_probability(std::span<const float> logits, Token token);

}  // namespace llmpatch
