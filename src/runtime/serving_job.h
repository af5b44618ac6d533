// A request on its way through the serving engine.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "base/result.h"
#include "runtime/grammar.h"
#include "runtime/prefix_table.h"
#include "runtime/serving_engine.h"

namespace llmpatch {

struct ServingJob {
  RequestId id = 0;
  ServingRequest request;
  ServingSink sink;
  std::shared_ptr<const PrefixStack> stack;
  std::unique_ptr<Grammar> grammar;  // null without one
  std::size_t max_tokens = 0;        // at least 1
  std::chrono::steady_clock::time_point submitted;
  std::size_t passed_over = 0;  // jobs that were let in while it found no room

  // Cells of the prompt and the answer: the last token is never decoded.
  std::size_t tokens() const { return request.prompt.size() + max_tokens - 1; }
};

// What requests may ask of an engine.
struct ServingLimits {
  std::size_t context = 0;  // tokens of a request, prefix excluded
  std::size_t cells = 0;
  std::size_t parts = 0;  // lists of prefixes of one stack
};

// Refuses what makes no sense: kInvalidArgument for an empty prompt, one longer than the context,
// ids outside the vocabulary, numbers out of range (temperature from 0, top-p and min-p from 0 to
// 1, penalties and biases finite, logprobs to 20), empty or too many stop texts.
Status check_request(const ServingRequest& request, const Model& model,
                     const ServingLimits& limits);

// A job of a checked request: parses the grammar and settles how many tokens the answer may have,
// at most what context and cells leave. kInvalidArgument (grammar), kLimit (stack and prompt do not
// fit).
Result<std::unique_ptr<ServingJob>> make_job(ServingRequest request, ServingSink sink,
                                             std::shared_ptr<const PrefixStack> stack,
                                             const Model& model, const ServingLimits& limits);

}  // namespace llmpatch
