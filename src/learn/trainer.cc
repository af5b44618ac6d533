#include "learn/trainer.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "learn/step.h"

namespace llmpatch {
namespace {

// Every kind of example is drawn in an order of its own.
Order pair_order(const StageOptions& options, std::size_t size) {
  return {size, options.seed * 3 + 1};
}
Order correction_order(const StageOptions& options, std::size_t size) {
  return {size, options.seed * 3 + 2};
}
Order retained_order(const StageOptions& options, std::size_t size) {
  return {size, options.seed * 3 + 3};
}

Error not_finite(const StageOptions& options, std::int64_t step, const char* what, double value) {
  std::ostringstream message;
  message << (options.objective == Objective::kSft ? "sft" : "dpo") << " step " << step << " "
          << what << ": found " << value << ", expected a finite number";
  return make_error(ErrorKind::kUnmet, "learn", message.str(),
                    "a lower learning rate usually helps (--sft-lr, --dpo-lr)");
}

}  // namespace

StageDraws draws_of_stage(const StageOptions& options, const TrainingSet& set) {
  const auto drawn = [&](Order order, std::int64_t each) {
    auto places = order.draws(0, static_cast<std::size_t>(options.schedule.total * each));
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    return places;
  };
  return {drawn(pair_order(options, set.pairs.size()), options.pairs_per_step),
          drawn(correction_order(options, set.corrections.size()), options.corrections_per_step),
          drawn(retained_order(options, set.retained.size()), options.retained_per_step)};
}

Status train_stage(const Transformer& model, const TrainingSet& set, const StageOptions& options,
                   StageState& state, const std::filesystem::path& checkpoint,
                   const StageHooks& hooks) {
  const std::int64_t total = options.schedule.total;
  const char* stage = options.objective == Objective::kSft ? "sft" : "dpo";
  Order pairs_drawn = pair_order(options, set.pairs.size());
  Order corrections_drawn = correction_order(options, set.corrections.size());
  Order retained_drawn = retained_order(options, set.retained.size());

  if (state.step == 0) state.average = state.rows.clone();

  const auto validate = [&]() -> Status {
    LLMPATCH_ASSIGN(const Validation found, hooks.validate(state.average));
    OrderedJson line{{"stage", stage},
                     {"step", state.step},
                     {"validation/refused", found.refused},
                     {"validation/over_refused", found.over_refused},
                     {"validation/kl", found.divergence},
                     {"validation/score", found.score}};
    LLMPATCH_TRY(hooks.log(json_line(line)));
    ++state.validations_since_best;
    if (state.best_step < 0 || found.score > state.best.score) {
      state.best = found;
      state.best_rows = state.average.clone();
      state.best_step = state.step;
      state.validations_since_best = 0;
    }
    return save_state(state, checkpoint);
  };
  const auto out_of_patience = [&] {
    return options.patience > 0 && state.validations_since_best >= options.patience;
  };

  if (state.best_step < 0) LLMPATCH_TRY(validate());
  while (state.step < total && !out_of_patience()) {
    LLMPATCH_TRY(check_cancelled(hooks.cancel, "learn"));
    const auto draw = [&](Order& order, std::int64_t count, const auto& from, auto& to) {
      const auto each = static_cast<std::uint64_t>(count);
      for (const std::size_t index :
           order.draws(static_cast<std::uint64_t>(state.step) * each, each)) {
        to.push_back(&from[index]);
      }
    };
    StepExamples examples;
    draw(pairs_drawn, options.pairs_per_step, set.pairs, examples.harmful);
    draw(corrections_drawn, options.corrections_per_step, set.corrections, examples.corrections);
    draw(retained_drawn, options.retained_per_step, set.retained, examples.retained);
    const Step step = make_step(options, examples, state.rows.size(0));
    torch::Tensor rows = state.rows.detach().clone().requires_grad_(true);
    auto [loss, numbers] = step_loss(model, rows, step, options);
    if (!std::isfinite(loss.item<double>())) {
      return not_finite(options, state.step, "loss", loss.item<double>());
    }
    loss.backward();
    const double rate = options.schedule.rate(state.step);
    const double norm = state.adam.update(state.rows, rows.grad(), rate);
    if (!std::isfinite(norm)) return not_finite(options, state.step, "gradient norm", norm);
    ++state.step;
    state.average.lerp_(state.rows, 1 - options.averaging);

    OrderedJson line{{"stage", stage},
                     {"step", state.step},
                     {"loss", numbers.loss},
                     {"kl/retain", numbers.retain},
                     {"grad_norm", norm},
                     {"learning_rate", rate},
                     {"rows/rms", state.rows.square().mean().sqrt().item<double>()}};
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
