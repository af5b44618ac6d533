#include "base/cores.h"

#include <sched.h>

#include <algorithm>
#include <thread>

namespace llmpatch {

int usable_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  // Fails on machines with more processors than the set has room for.
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    return std::max(CPU_COUNT(&allowed), 1);
  return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
}

}  // namespace llmpatch
