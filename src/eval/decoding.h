// How the answers of a suite are generated.
#pragma once

#include <string>

namespace llmpatch {

struct Decoding {
  int max_tokens = 32;
  int samples = 1;        // answers to each prompt
  float temperature = 0;  // 0: greedy, one sample
  float top_p = 1;

  bool greedy() const { return temperature == 0; }
  // What names it in a metric: "greedy", or the number of samples.
  std::string tag() const { return greedy() ? "greedy" : std::to_string(samples); }
  bool operator==(const Decoding&) const = default;
};

}  // namespace llmpatch
