// Another program as a helper: text in, text out, within limits.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"

namespace llmpatch {

struct HelperAnswer {
  int exit_code = 0;   // 128 + signal for one that was killed
  std::string output;  // what it wrote to its standard output
};

struct HelperLimits {
  std::size_t output = std::size_t{64} << 10;  // bytes
  std::chrono::milliseconds time{30'000};
  const CancelFlag* cancel = nullptr;
};

// Runs `command`, found in PATH, without a shell, with `input` on its standard input (a socket) and
// its standard error left as ours. Errors name `where` as the part that noticed. kNotFound: there
// is no such program; kLimit: it writes more or takes longer than `limits`, kCancelled (it is
// killed in either case); kInvalidArgument: an empty command; kIo.
Result<HelperAnswer> run_helper(const char* where, const std::vector<std::string>& command,
                                const std::string& input, const HelperLimits& limits);

}  // namespace llmpatch
