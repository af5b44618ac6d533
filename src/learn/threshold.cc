#include "learn/threshold.h"

#include <algorithm>
#include <cmath>

#include "learn/output.h"

namespace llmpatch {
namespace {

constexpr double kFurthest = 3;      // log-odds; beyond it rows are not what was learned
constexpr std::size_t kBatch = 64;   // prompts of one backward pass
constexpr double kRareShare = 1e-3;  // a share of none counts as so many
// By how much the log-odds of the share that is refused rise where the mean log-odds of refusing
// rise by one: prompts are spread out less near the line than on the whole.
constexpr double kFirstSlope = 1.8;
constexpr double kFlattest = 0.4, kSteepest = 6;  // slopes that are believed
constexpr double kMargin = 0.05;                  // of what is left to look in, not looked at next

double log_odds(double share) {
  const double inside = std::clamp(share, kRareShare, 1 - kRareShare);
  return std::log(inside / (1 - inside));
}

// Gradient to `learned` of the log-odds of the first answers' tokens, each weighing p (1 - p): of
// the expected number of refusals, over the sum of the weights.
torch::Tensor gradient_of_refusals(const Transformer& model, const AdaptFn& adapt,
                                   const torch::Tensor& learned,
                                   const std::vector<Sequence>& sequences, bool greedy) {
  torch::Tensor sum = torch::zeros_like(learned);
  double weights = 1e-9;  // where nothing is in doubt, no direction is better than another
  for (std::size_t first = 0; first < sequences.size(); first += kBatch) {
    const std::size_t last = std::min(sequences.size(), first + kBatch);
    const std::vector<Sequence> batch(sequences.begin() + static_cast<std::ptrdiff_t>(first),
                                      sequences.begin() + static_cast<std::ptrdiff_t>(last));
    const torch::Tensor moving = learned.detach().clone().requires_grad_(true);
    const Adaptation adaptation = adapt(moving);
    const Layout layout = pack(batch, adaptation.prefix_rows());
    const torch::Tensor predicting =
        run_batch(model, adaptation, layout).index_select(0, layout.predict_rows);
    const torch::Tensor refusing =
        log_taken(predicting, model.output(), layout.targets, greedy).exp().clamp_max(1 - 1e-6);
    refusing.sum().backward();  // d p = p (1 - p) d log-odds
    sum += moving.grad();
    weights += (refusing * (1 - refusing)).sum().item<double>();
  }
  return sum / weights;
}

}  // namespace

torch::Tensor refusal_direction(const Transformer& model, const AdaptFn& adapt,
                                const torch::Tensor& learned, const std::vector<Pair>& harmful,
                                const std::vector<Retained>& retained, std::size_t prompts,
                                bool greedy) {
  const Tokens begins{harmful.front().chosen.front()};
  std::vector<Sequence> refused, answered;
  for (const std::size_t i : spread_places(harmful.size(), prompts)) {
    refused.push_back({harmful[i].prompt, {begins}});
  }
  for (const std::size_t i : spread_places(retained.size(), prompts)) {
    answered.push_back({retained[i].prompt, {begins}});
  }
  const torch::Tensor harm = gradient_of_refusals(model, adapt, learned, refused, greedy);
  const torch::Tensor benign = gradient_of_refusals(model, adapt, learned, answered, greedy);
  const torch::Tensor both = harm / harm.norm() + benign / benign.norm();
  return both / ((harm + benign) * both).sum() * 2;
}

Result<Moved> find_threshold(const std::function<Result<double>(double by)>& measure, double target,
                             double tolerance, int most) {
  Moved best, before;
  double low = -kFurthest, high = kFurthest, slope = kFirstSlope, by = 0;
  for (int i = 0; i < most; ++i) {
    LLMPATCH_ASSIGN(const double share, measure(by));
    const Moved here{by, share};
    if (i == 0 || std::abs(share - target) < std::abs(best.over_refused - target)) best = here;
    if (std::abs(share - target) <= tolerance) break;
    (share < target ? low : high) = by;
    if (i > 0 && by != before.by) {
      const double rise = (log_odds(share) - log_odds(before.over_refused)) / (by - before.by);
      slope = std::clamp(rise, kFlattest, kSteepest);
    }
    before = here;
    const double margin = kMargin * (high - low);  // or a wrong slope stops at one end
    by = std::clamp(by + (log_odds(target) - log_odds(share)) / slope, low + margin, high - margin);
  }
  return best;
}

}  // namespace llmpatch
