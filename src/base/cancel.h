// Cooperative cancellation of long work (Ctrl-C).
#pragma once

#include <atomic>

#include "base/result.h"

namespace llmpatch {

// A flag that one side raises and long loops look at. Lock-free, so a signal handler may raise it.
class CancelFlag {
 public:
  void raise() { raised_.store(true, std::memory_order_relaxed); }
  bool raised() const { return raised_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> raised_{false};
};

// kCancelled when `cancel` is not null and raised. `where` names the work that stops.
Status check_cancelled(const CancelFlag* cancel, const char* where);

}  // namespace llmpatch
