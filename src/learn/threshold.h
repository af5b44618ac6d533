// How readily rows refuse, set after they are learned. Runs that differ in their seed or in the
// weights of their terms tell harmful prompts from benign ones about equally well and differ mostly
// in where they draw the line, which can be moved without learning.
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "learn/examples.h"
#include "learn/transformer.h"

namespace llmpatch {

// How much is measured for it, at most.
inline constexpr std::size_t kThresholdPrompts = 400;  // benign ones, at every place
inline constexpr std::uint64_t kMeasurements = 5;      // places

// The direction, shaped as `learned`, in which prompts of both kinds that could go either way begin
// with the chosen answers' first token likelier: of the gradients of the expected number that do,
// one of harmful and one of retained prompts, counting the same. What is learned, moved by it, has
// the log-odds of such prompts (log_taken's) higher by one, to first order. Taken from at most
// `prompts` prompts of each kind; both kinds must be there.
torch::Tensor refusal_direction(const Transformer& model, const AdaptFn& adapt,
                                const torch::Tensor& learned, const std::vector<Pair>& harmful,
                                const std::vector<Retained>& retained, std::size_t prompts,
                                bool greedy);

struct Moved {
  double by = 0;            // times the direction
  double over_refused = 0;  // what `measure` gave there
};

// Finds how far to move along a direction for `measure` (by -> share of benign prompts refused,
// rising) to give `target`, within `tolerance`; measures at most `most` places, and returns the
// nearest of them. The first place is 0. Fails as `measure` does.
Result<Moved> find_threshold(const std::function<Result<double>(double by)>& measure, double target,
                             double tolerance, int most);

}  // namespace llmpatch
