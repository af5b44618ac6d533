// How libraries report progress: they call a function and never print.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace llmpatch {

// Called with (done, total, note) as work goes on; an empty function is never called.
using ProgressFn =
    std::function<void(std::uint64_t done, std::uint64_t total, const std::string& note)>;

}  // namespace llmpatch
