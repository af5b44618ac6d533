// When a client that was turned away should come again: once those that wait have had their turn.
// Internal to serve/.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>

namespace llmpatch {

// Thread-safe.
class RetryAfter {
 public:
  // `places` (at least 1): answers that are generated at a time. `waiting` says how many wait for
  // one; it is called on any thread.
  RetryAfter(int places, std::function<int()> waiting, std::chrono::seconds longest);

  // No estimate is longer; at least a second.
  void set_longest(std::chrono::seconds longest);
  // An answer had its place for so long.
  void note(double seconds);
  // Whole seconds that those who wait take, by what answers took of late: from 1, which it also is
  // before the first answer, to the longest or 60.
  int seconds() const;

 private:
  const int places_;
  const std::function<int()> waiting_;
  mutable std::mutex mutex_;
  double longest_;
  double mean_ = 0;  // of answers, the last ones counting most; 0: there was none
};

}  // namespace llmpatch
