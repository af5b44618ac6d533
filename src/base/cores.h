// How many threads are worth starting.
#pragma once

namespace llmpatch {

// The processors this process may run on, at least 1. Unlike std::thread::hardware_concurrency it
// respects an affinity mask, so that a program kept to some cores (taskset, a container's cpuset)
// does not run threads that wait for each other in turns. Thread-safe.
int usable_cores();

}  // namespace llmpatch
