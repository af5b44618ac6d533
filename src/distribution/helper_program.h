// Another program as a helper: text in, text out, within limits.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"

namespace llmpatch {

struct HelperAnswer {
  int exit_code = 0;   // 128 + signal for one that was killed
  std::string output;  // what it wrote to its standard output
};

// Runs `command`, found in PATH, without a shell, with `input` on its standard input and its
// standard error left as ours. kNotFound: there is no such program; kLimit: it writes more than
// `most` bytes or takes longer than `limit` (it is killed then); kIo.
Result<HelperAnswer> run_helper(const std::vector<std::string>& command, const std::string& input,
                                std::size_t most, std::chrono::milliseconds limit);

}  // namespace llmpatch
