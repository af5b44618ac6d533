// --max-tokens, --temperature, --top-p, --top-k, --seed.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>

#include "base/result.h"
#include "runtime/engine.h"

namespace llmpatch {

struct SamplingOptions {
  int max_tokens = 256;
  float temperature = 0;
  float top_p = 1;
  int top_k = 0;
  std::uint64_t seed = 0;

  void declare(CLI::App& app);
  // kInvalidArgument: a value outside its range, or one that greedy decoding would ignore.
  Result<Sampling> sampling() const;
};

}  // namespace llmpatch
