#include "serve/retry_after.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace llmpatch {
namespace {

// Whom it tells more gives up, or does not believe it.
constexpr std::chrono::seconds kLongest{60};
// What an answer counts beside all before it.
constexpr double kWeight = 0.1;

double capped(std::chrono::seconds longest) {
  return static_cast<double>(std::clamp(longest, std::chrono::seconds(1), kLongest).count());
}

}  // namespace

RetryAfter::RetryAfter(int places, std::function<int()> waiting, std::chrono::seconds longest)
    : places_(places), waiting_(std::move(waiting)), longest_(capped(longest)) {}

void RetryAfter::set_longest(std::chrono::seconds longest) {
  const std::lock_guard lock(mutex_);
  longest_ = capped(longest);
}

void RetryAfter::note(double seconds) {
  const std::lock_guard lock(mutex_);
  mean_ = mean_ == 0 ? seconds : mean_ + kWeight * (seconds - mean_);
}

int RetryAfter::seconds() const {
  const double rounds = static_cast<double>(waiting_()) / places_;
  const std::lock_guard lock(mutex_);
  return static_cast<int>(std::clamp(std::ceil(rounds * mean_), 1.0, longest_));
}

}  // namespace llmpatch
