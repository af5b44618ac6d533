// How kernels that know nothing of LibTorch are given threads.
#pragma once

#include <cstdint>
#include <functional>

namespace llmpatch {

// Calls its second argument for every number below its first, on any thread.
using RunTasks =
    std::function<void(std::int64_t count, const std::function<void(std::int64_t)>& task)>;

}  // namespace llmpatch
