#include "sampling_options.h"

#include <cmath>
#include <sstream>
#include <string>

namespace llmpatch {
namespace {

template <class Number>
Error outside(const char* option, Number found, const char* expected) {
  std::ostringstream message;
  message << option << ": found " << found << ", expected " << expected;
  return make_error(ErrorKind::kInvalidArgument, "command line", message.str());
}

}  // namespace

void SamplingOptions::declare(CLI::App& app) {
  app.add_option("--max-tokens", max_tokens, "Longest answer in tokens")->capture_default_str();
  app.add_option("--temperature", temperature, "0 takes the most probable token each time")
      ->capture_default_str();
  app.add_option("--top-p", top_p, "Sample from the most probable tokens that make up this share")
      ->capture_default_str();
  app.add_option("--top-k", top_k, "Sample from the K most probable tokens; 0 is off")
      ->capture_default_str();
  app.add_option("--seed", seed, "The same seed gives the same text")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
}

Result<Sampling> SamplingOptions::sampling() const {
  if (max_tokens < 1) return outside("--max-tokens", max_tokens, "at least 1");
  if (!std::isfinite(temperature) || temperature < 0) {
    return outside("--temperature", temperature, "0 or more");
  }
  if (!(top_p > 0 && top_p <= 1)) return outside("--top-p", top_p, "more than 0, at most 1");
  if (top_k < 0) return outside("--top-k", top_k, "0 or more");
  if (temperature == 0 && (top_p < 1 || top_k > 0)) {
    return make_error(ErrorKind::kInvalidArgument, "command line",
                      "--top-p and --top-k: found without --temperature, which is 0 and samples "
                      "nothing",
                      "add --temperature 1, or leave them out");
  }
  Sampling sampling;
  sampling.temperature = temperature;
  sampling.top_p = top_p;
  sampling.top_k = top_k;
  sampling.seed = seed;
  return sampling;
}

}  // namespace llmpatch
