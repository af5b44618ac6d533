#include "learn/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "learn/balanced_sampler.h"
#include "learn/importance_sampler.h"
#include "learn/step.h"

namespace llmpatch {
namespace {

// Every kind of example is drawn in an order of its own.
struct Orders {
  std::uint64_t pairs, corrections, retained, whole;  // seeds
  explicit Orders(const StageOptions& options)
      : pairs(options.seed * 3 + 1),
        corrections(options.seed * 3 + 2),
        retained(options.seed * 3 + 3),
        whole(options.seed * 3 + 4) {}
};

// The sizes of groups that are drawn from alike; all examples are one where a set names none.
std::vector<std::size_t> groups_of(const std::vector<std::size_t>& sizes, std::size_t all) {
  return sizes.empty() ? std::vector<std::size_t>{all} : sizes;
}

// What draws a stage's examples, and what it has found out about them. Pairs and retained texts are
// drawn alike from every risk; corrections from all: the base model's own refusals of benign
// prompts are no matter of a risk, and most runs have few of them or none.
class StageSamplers {
 public:
  StageSamplers(const TrainingSet& set, const StageOptions& options)
      : set_(set),
        options_(options),
        pairs_(groups_of(set.risk_pairs, set.pairs.size()), Orders(options).pairs,
               options.easy_rate),
        corrections_(set.corrections.size(), Orders(options).corrections, options.easy_rate),
        retained_(groups_of(set.risk_retained, set.retained.size()), Orders(options).retained,
                  options.easy_rate),
        whole_(groups_of(set.risk_whole, set.whole.size()), Orders(options).whole) {}

  Status restore(const SamplingState& state) {
    LLMPATCH_TRY(pairs_.restore(state.pairs));
    LLMPATCH_TRY(corrections_.restore(state.corrections));
    return retained_.restore(state.retained);
  }
  SamplingState state() const { return {pairs_.state(), corrections_.state(), retained_.state()}; }

  // Of step number `step`.
  StepExamples draw(std::int64_t step) {
    StepExamples examples;
    drawn_pairs_ = pairs_.draw(step, static_cast<std::size_t>(options_.pairs_per_step));
    drawn_corrections_ = corrections_.draw(static_cast<std::size_t>(options_.corrections_per_step));
    drawn_retained_ = retained_.draw(step, static_cast<std::size_t>(options_.retained_per_step));
    for (const auto& draw : drawn_pairs_) {
      examples.harmful.emplace_back(&set_.pairs[draw.index], draw.weight);
    }
    for (const auto& draw : drawn_corrections_) {
      examples.corrections.emplace_back(&set_.corrections[draw.index], draw.weight);
    }
    for (const auto& draw : drawn_retained_) {
      examples.retained.emplace_back(&set_.retained[draw.index], draw.weight);
    }
    const auto whole = static_cast<std::size_t>(options_.whole_retained_per_step);
    for (const std::size_t i : whole_.draws(static_cast<std::uint64_t>(step) * whole, whole)) {
      examples.whole.push_back(&set_.whole[i]);
    }
    for (const Tokens& beginning : set_.unwanted) examples.unwanted.push_back(&beginning);
    return examples;
  }

  // Of the pairs drawn last, how many are of each risk; empty where a set names none.
  std::vector<std::int64_t> drawn_of_risks() const {
    std::vector<std::int64_t> counts(set_.risk_pairs.size());
    if (counts.empty()) return counts;
    for (const auto& draw : drawn_pairs_) {
      std::size_t risk = 0, end = set_.risk_pairs.front();
      while (draw.index >= end) end += set_.risk_pairs[++risk];
      ++counts[risk];
    }
    return counts;
  }

  // Of the examples drawn last.
  void found(const StepNumbers& numbers) {
    for (std::size_t i = 0; i < numbers.harmful_difficulty.size(); ++i) {
      pairs_.found(drawn_pairs_[i].index, numbers.harmful_difficulty[i]);
    }
    const std::size_t corrections = drawn_corrections_.size();
    for (std::size_t i = 0; i < numbers.benign_difficulty.size(); ++i) {
      if (i < corrections) {
        corrections_.found(drawn_corrections_[i].index, numbers.benign_difficulty[i]);
      } else {
        retained_.found(drawn_retained_[i - corrections].index, numbers.benign_difficulty[i]);
      }
    }
  }

 private:
  const TrainingSet& set_;
  const StageOptions& options_;
  BalancedSampler pairs_;
  ImportanceSampler corrections_;
  BalancedSampler retained_;
  BalancedOrder whole_;
  std::vector<ImportanceSampler::Draw> drawn_pairs_, drawn_corrections_, drawn_retained_;
};

Error not_finite(const StageOptions& options, std::int64_t step, const char* what, double value) {
  std::ostringstream message;
  message << (options.objective == Objective::kSft ? "sft" : "dpo") << " step " << step << " "
          << what << ": found " << value << ", expected a finite number";
  return make_error(ErrorKind::kUnmet, "learn", message.str(),
                    "a lower learning rate usually helps (--sft-lr, --dpo-lr)");
}

}  // namespace

StageDraws draws_of_stage(const StageOptions& options, const TrainingSet& set) {
  const auto drawn = [&](const std::vector<std::size_t>& groups, std::uint64_t seed,
                         std::int64_t each) {
    std::vector<std::size_t> places;
    if (options.easy_rate < 1) {  // what will be passed over shows while learning
      places.resize(each > 0 ? std::accumulate(groups.begin(), groups.end(), std::size_t{0}) : 0);
      std::iota(places.begin(), places.end(), std::size_t{0});
      return places;
    }
    places = BalancedOrder(groups, seed)
                 .draws(0, static_cast<std::size_t>(options.schedule.total * each));
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    return places;
  };
  const Orders orders(options);
  return {drawn(groups_of(set.risk_pairs, set.pairs.size()), orders.pairs, options.pairs_per_step),
          drawn({set.corrections.size()}, orders.corrections, options.corrections_per_step),
          drawn(groups_of(set.risk_retained, set.retained.size()), orders.retained,
                options.retained_per_step)};
}

Status train_stage(const Transformer& model, const TrainingSet& set, const StageOptions& options,
                   StageState& state, const std::filesystem::path& checkpoint,
                   const StageHooks& hooks) {
  const std::int64_t total = options.schedule.total;
  const char* stage = options.objective == Objective::kSft ? "sft" : "dpo";
  StageSamplers samplers(set, options);
  LLMPATCH_TRY(samplers.restore(state.sampling));

  if (state.step == 0) state.average = state.rows.clone();

  const auto validate = [&]() -> Status {
    LLMPATCH_ASSIGN(const Validation found, hooks.validate(state.average));
    OrderedJson line{{"stage", stage},
                     {"step", state.step},
                     {"validation/refused", found.refused},
                     {"validation/over_refused", found.over_refused},
                     {"validation/kl", found.divergence},
                     {"validation/score", found.score}};
    for (std::size_t i = 0; i < found.risks.size(); ++i) {
      line["validation/refused/" + set.risks[i]] = found.risks[i];
    }
    LLMPATCH_TRY(hooks.log(json_line(line)));
    ++state.validations_since_best;
    if (state.best_step < 0 || found.score > state.best.score) {
      state.best = found;
      state.best_rows = state.average.clone();
      state.best_step = state.step;
      state.validations_since_best = 0;
    }
    state.sampling = samplers.state();
    return save_state(state, checkpoint);
  };
  const auto out_of_patience = [&] {
    return options.patience > 0 && state.validations_since_best >= options.patience;
  };

  if (state.best_step < 0) LLMPATCH_TRY(validate());
  while (state.step < total && !out_of_patience()) {
    LLMPATCH_TRY(check_cancelled(hooks.cancel, "learn"));
    const StepExamples examples = samplers.draw(state.step);
    const torch::Tensor companion = set.companions.draw(model, options.seed, state.step);
    torch::Tensor rows = state.rows.detach().clone().requires_grad_(true);
    const Adaptation adaptation = hooks.adapt(rows);
    const Step step = make_step(options, examples, adaptation.prefix_rows(), companion);
    auto [loss, numbers] = step_loss(model, adaptation, step, options);
    if (!std::isfinite(loss.item<double>())) {
      return not_finite(options, state.step, "loss", loss.item<double>());
    }
    loss.backward();
    const double rate = options.schedule.rate(state.step);
    const double norm = state.adam.update(state.rows, rows.grad(), rate);
    if (!std::isfinite(norm)) return not_finite(options, state.step, "gradient norm", norm);
    samplers.found(numbers);
    ++state.step;
    state.average.lerp_(state.rows, 1 - options.averaging);

    OrderedJson line{{"stage", stage},       {"step", state.step},
                     {"loss", numbers.loss}, {"kl/retain", numbers.retain},
                     {"grad_norm", norm},    {"learning_rate", rate}};
    line[adaptation.prefix.defined() ? "rows/rms" : "factors/rms"] =
        state.rows.square().mean().sqrt().item<double>();
    if (!set.companions.none()) line["companion"] = companion.defined();
    const auto drawn = samplers.drawn_of_risks();
    for (std::size_t i = 0; i < drawn.size(); ++i) line["pairs/" + set.risks[i]] = drawn[i];
    line.update(numbers.metrics);
    LLMPATCH_TRY(hooks.log(json_line(line)));
    if (hooks.progress) {
      std::ostringstream note;
      note.precision(3);
      note << "loss " << numbers.loss << "  kl " << numbers.retain;
      if (state.best_step >= 0) {
        note << "  best: refused " << 100 * state.best.refused << " %, over-refused "
             << 100 * state.best.over_refused << " %";
      }
      hooks.progress(static_cast<std::uint64_t>(state.step), static_cast<std::uint64_t>(total),
                     note.str());
    }
    if (state.step % options.evaluate_every == 0 || state.step == total) LLMPATCH_TRY(validate());
  }
  return {};
}

}  // namespace llmpatch
