#include "runtime/sampling.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>

namespace llmpatch {
namespace {

// e^x for x <= 0, to 2 units in the last place, 0 below -87. Branch-free so that compilers
// vectorise the loop over a vocabulary, and the same bits everywhere, which expf does not promise.
inline float exp_negative(float x) {
  const float clamped = std::max(x, -87.0f);
  const float scaled = clamped * 1.44269504088896341f;
  const auto whole = static_cast<std::int32_t>(scaled - 0.5f);  // nearest, since scaled <= 0
  const auto n = static_cast<float>(whole);
  const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  float y = 1.9875691500e-4f;
  y = y * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * r * r + r + 1.0f;
  const auto power = std::bit_cast<float>((whole + 127) << 23);
  return x < -87.0f ? 0.0f : y * power;
}

double sum(std::span<const float> values) {
  // Sixteen partial sums: vectorises, and errs less than one.
  double total = 0;
  std::size_t i = 0;
  while (i < values.size()) {
    const std::size_t end = std::min(i + 4096, values.size());
    float lanes[16] = {};
    for (; i + 16 <= end; i += 16) {
      for (std::size_t lane = 0; lane < 16; ++lane) lanes[lane] += values[i + lane];
    }
    for (; i < end; ++i) total += values[i];
    for (const float lane : lanes) total += lane;
  }
  return total;
}

float maximum(std::span<const float> values) {
  constexpr float kLeast = -std::numeric_limits<float>::infinity();
  float lanes[16];
  std::fill(std::begin(lanes), std::end(lanes), kLeast);
  std::size_t i = 0;
  for (; i + 16 <= values.size(); i += 16) {
    for (std::size_t lane = 0; lane < 16; ++lane) {
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
    }
  }
  float best = kLeast;
  for (; i < values.size(); ++i) best = values[i] > best ? values[i] : best;
  for (const float lane : lanes) best = lane > best ? lane : best;
  return best;
}

// The first of the greatest values; nothing where none is above -infinity.
std::optional<std::size_t> first_of_greatest(std::span<const float> values) {
  constexpr std::size_t kPart = 1024;
  float best = -std::numeric_limits<float>::infinity();
  std::optional<std::size_t> part;
  for (std::size_t begin = 0; begin < values.size(); begin += kPart) {
    const float top = maximum(values.subspan(begin, std::min(kPart, values.size() - begin)));
    if (!(top > best)) continue;
    best = top;
    part = begin;
  }
  if (!part) return std::nullopt;
  std::size_t i = *part;
  while (values[i] != best) ++i;
  return i;
}

}  // namespace

Token Sampler::greedy(std::span<const float> logits) {
  const auto first = first_of_greatest(logits);
  if (first &&
      !std::binary_search(suppressed_.begin(), suppressed_.end(), static_cast<Token>(*first))) {
    return static_cast<Token>(*first);
  }
  // One by one past what is suppressed.
  Token best = -1;
  float best_logit = 0;
  auto banned = suppressed_.begin();
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (best >= 0 && !(logits[id] > best_logit)) continue;
    while (banned != suppressed_.end() && static_cast<std::size_t>(*banned) < id) ++banned;
    if (banned != suppressed_.end() && static_cast<std::size_t>(*banned) == id) continue;
    best = static_cast<Token>(id);
    best_logit = logits[id];
  }
  return std::max(best, 0);
}

void Sampler::weigh(std::span<const float> logits, float temperature) {
  weights_.assign(logits.begin(), logits.end());
  for (const Token id : suppressed_) {
    if (static_cast<std::size_t>(id) < weights_.size()) {
      weights_[static_cast<std::size_t>(id)] = -std::numeric_limits<float>::infinity();
    }
  }
  const float top = maximum(weights_);
  const float scale = 1 / temperature;
  for (float& weight : weights_) weight = exp_negative((weight - top) * scale);
}

Token Sampler::sample(std::span<const float> logits, const Sampling& sampling, double uniform,
                      float min_p) {
  if (!(sampling.temperature > 0)) return greedy(logits);
  weigh(logits, sampling.temperature);

  if (sampling.top_k > 0 && static_cast<std::size_t>(sampling.top_k) < weights_.size()) {
    const auto k = static_cast<std::ptrdiff_t>(sampling.top_k);
    ordered_ = weights_;
    std::nth_element(ordered_.begin(), ordered_.begin() + k - 1, ordered_.end(), std::greater<>());
    const float least = ordered_[static_cast<std::size_t>(k - 1)];
    auto ties = k - std::count_if(weights_.begin(), weights_.end(),
                                  [&](float weight) { return weight > least; });
    for (float& weight : weights_) {
      if (weight < least || (weight == least && ties-- <= 0)) weight = 0;
    }
  }

  double total = sum(weights_);
  candidates_.clear();
  if (sampling.top_p < 1) {
    // All tokens lighter than this together weigh less than what top-p leaves out, so the set it
    // keeps lies among the others: only these few need sorting.
    const double share = std::max(1.0 - static_cast<double>(sampling.top_p), 0.0);
    const double least = share * total / static_cast<double>(weights_.size());
    for (std::size_t id = 0; id < weights_.size(); ++id) {
      if (weights_[id] > 0 && weights_[id] >= least) candidates_.push_back(static_cast<Token>(id));
    }
    std::sort(candidates_.begin(), candidates_.end(), [&](Token a, Token b) {
      const float x = weights_[static_cast<std::size_t>(a)];
      const float y = weights_[static_cast<std::size_t>(b)];
      return x != y ? x > y : a < b;
    });
    const double wanted = static_cast<double>(sampling.top_p) * total;
    double kept = 0;
    std::size_t n = 0;
    while (n < candidates_.size() && (n == 0 || kept < wanted)) {
      kept += weights_[static_cast<std::size_t>(candidates_[n++])];
    }
    candidates_.resize(n);
    total = kept;
  }
  if (min_p > 0) {
    // The most likely token weighs 1 and is never cut.
    for (float& weight : weights_) {
      if (weight < min_p) weight = 0;
    }
    if (sampling.top_p < 1) {
      total = 0;
      for (const Token id : candidates_) total += weights_[static_cast<std::size_t>(id)];
    } else {
      total = sum(weights_);
    }
  }

  double left = uniform * total;
  Token last = -1;  // rounding may leave a rest after the last token with weight
  const auto take = [&](Token id) {
    const float weight = weights_[static_cast<std::size_t>(id)];
    if (weight <= 0) return false;
    last = id;
    left -= weight;
    return left < 0;
  };
  if (sampling.top_p < 1) {
    for (const Token id : candidates_) {
      if (take(id)) return id;
    }
  } else {
    for (std::size_t id = 0; id < weights_.size(); ++id) {
      if (take(static_cast<Token>(id))) return static_cast<Token>(id);
    }
  }
  return last >= 0 ? last : greedy(logits);
}

LogSoftmax::LogSoftmax(std::span<const float> logits) : top_(maximum(logits)) {
  double total = 0;
  float lanes[16] = {};
  std::size_t i = 0;
  for (; i + 16 <= logits.size(); i += 16) {
    for (std::size_t lane = 0; lane < 16; ++lane)
      lanes[lane] += exp_negative(logits[i + lane] - top_);
  }
  for (; i < logits.size(); ++i) total += exp_negative(logits[i] - top_);
  for (const float lane : lanes) total += lane;
  log_total_ = static_cast<float>(std::log(total));
}

float log_probability(std::span<const float> logits, Token token) {
  return LogSoftmax(logits)(logits[static_cast<std::size_t>(token)]);
}

}  // namespace llmpatch
