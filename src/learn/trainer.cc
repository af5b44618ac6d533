#include "learn/trainer.h"

#include <cmath>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "learn/losses.h"
#include "learn/output.h"

namespace llmpatch {
namespace {

// What one step computed, for the log.
struct StepNumbers {
  double loss = 0;      // of the objective
  double retain = 0;    // mean KL per token of the retained texts of this step
  OrderedJson metrics;  // TRL's names
};

// The packed examples of one step.
struct Step {
  Layout layout;
  std::int64_t pair_answers = 0;  // answers before those of retained texts
  std::int64_t pair_tokens = 0;   // answer tokens before those of retained texts
  torch::Tensor reference_chosen, reference_rejected;  // [pairs]
  torch::Tensor retained_hidden;                       // [retained tokens, width]
  // Answers to benign prompts, and the first tokens of chosen answers to harmful ones, which they
  // should not begin with. [benign prompts]
  torch::Tensor benign_answers, refused_tokens;
};

// `corrections` are pairs too, of benign prompts.
Step make_step(const std::vector<const Pair*>& harmful, const std::vector<const Pair*>& corrections,
               const std::vector<const Retained*>& retained, Objective objective,
               std::int64_t prefix_rows) {
  Step step;
  std::vector<Sequence> sequences;
  std::vector<double> chosen, rejected;
  std::vector<const Pair*> pairs = harmful;
  pairs.insert(pairs.end(), corrections.begin(), corrections.end());
  std::vector<std::int64_t> benign, refused;
  const auto add_benign = [&](std::int64_t answer) {
    refused.push_back(harmful[benign.size() % harmful.size()]->chosen.front());
    benign.push_back(answer);
  };
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Pair* pair = pairs[i];
    if (i >= harmful.size()) add_benign(step.pair_answers);
    Sequence sequence{pair->prompt, {pair->chosen}};
    step.pair_tokens += static_cast<std::int64_t>(pair->chosen.size());
    if (objective == Objective::kDpo) {
      sequence.answers.push_back(pair->rejected);
      step.pair_tokens += static_cast<std::int64_t>(pair->rejected.size());
    }
    step.pair_answers += static_cast<std::int64_t>(sequence.answers.size());
    chosen.push_back(pair->reference_chosen);
    rejected.push_back(pair->reference_rejected);
    sequences.push_back(std::move(sequence));
  }
  std::vector<torch::Tensor> hidden;
  for (const Retained* text : retained) {
    add_benign(step.pair_answers + static_cast<std::int64_t>(hidden.size()));
    sequences.push_back({text->prompt, {text->answer}});
    hidden.push_back(text->hidden);
  }
  if (!hidden.empty()) step.retained_hidden = torch::cat(hidden);
  step.reference_chosen = torch::tensor(chosen, torch::kDouble).to(torch::kFloat32);
  step.reference_rejected = torch::tensor(rejected, torch::kDouble).to(torch::kFloat32);
  step.benign_answers = torch::tensor(benign, torch::kLong);
  step.refused_tokens = torch::tensor(refused, torch::kLong);
  step.layout = pack(sequences, prefix_rows);
  return step;
}

// Loss of one step with gradient to `rows`.
std::pair<torch::Tensor, StepNumbers> step_loss(const Transformer& model, const torch::Tensor& rows,
                                                const Step& step, const StageOptions& options) {
  const Layout& layout = step.layout;
  const torch::Tensor hidden = run_batch(model, rows, layout);
  const torch::Tensor predicting = hidden.index_select(0, layout.predict_rows);
  const torch::Tensor logprobs =
      token_logprobs(predicting.narrow(0, 0, step.pair_tokens), model.output(),
                     layout.targets.narrow(0, 0, step.pair_tokens));
  StepNumbers numbers;
  torch::Tensor loss;
  if (options.objective == Objective::kSft) {
    loss = sft_loss(logprobs);
    if (options.first_token_weight > 0) {
      const torch::Tensor first = layout.first_tokens.narrow(0, 0, step.pair_answers);
      loss = loss + options.first_token_weight * sft_loss(logprobs.index_select(0, first));
    }
    numbers.metrics["logps/chosen"] =
        logprobs.detach().sum().item<double>() / static_cast<double>(step.pair_answers);
  } else {
    const torch::Tensor sums =
        sum_by_answer(logprobs, layout.answer_ids.narrow(0, 0, step.pair_tokens), step.pair_answers)
            .view({-1, 2});
    const DpoResult dpo = dpo_loss(sums.select(1, 0), sums.select(1, 1), step.reference_chosen,
                                   step.reference_rejected, options.beta);
    loss = dpo.loss;
    const torch::Tensor margins = dpo.chosen - dpo.rejected;
    numbers.metrics["rewards/chosen"] = dpo.chosen.mean().item<double>();
    numbers.metrics["rewards/rejected"] = dpo.rejected.mean().item<double>();
    numbers.metrics["rewards/margins"] = margins.mean().item<double>();
    numbers.metrics["rewards/accuracies"] = (margins > 0).to(torch::kFloat32).mean().item<double>();
    numbers.metrics["logps/chosen"] = sums.select(1, 0).detach().mean().item<double>();
    numbers.metrics["logps/rejected"] = sums.select(1, 1).detach().mean().item<double>();
  }
  if (options.unlikelihood_weight > 0 && step.benign_answers.size(0) > 0) {
    const torch::Tensor first = layout.first_tokens.index_select(0, step.benign_answers);
    const torch::Tensor unlikelihood = unlikelihood_loss(
        token_logprobs(predicting.index_select(0, first), model.output(), step.refused_tokens));
    numbers.metrics["unlikelihood"] = unlikelihood.item<double>();
    loss = loss + options.unlikelihood_weight * unlikelihood;
  }
  numbers.loss = loss.item<double>();
  if (step.retained_hidden.defined() && options.retain_weight > 0) {
    const auto count = layout.targets.size(0) - step.pair_tokens;
    const torch::Tensor divergence =
        token_divergence(step.retained_hidden, predicting.narrow(0, step.pair_tokens, count),
                         model.output())
            .sum();
    numbers.retain = divergence.item<double>() / static_cast<double>(count);
    const auto texts = static_cast<double>(layout.answers - step.pair_answers);
    loss = loss + divergence * (options.retain_weight / texts);
  }
  return {loss, std::move(numbers)};
}

Error not_finite(const StageOptions& options, std::int64_t step, const char* what, double value) {
  std::ostringstream message;
  message << (options.objective == Objective::kSft ? "sft" : "dpo") << " step " << step << " "
          << what << ": found " << value << ", expected a finite number";
  return make_error(ErrorKind::kUnmet, "learn", message.str(),
                    "a lower learning rate usually helps (--sft-lr, --dpo-lr)");
}

}  // namespace

Status train_stage(const Transformer& model, const TrainingSet& set, const StageOptions& options,
                   StageState& state, const std::filesystem::path& checkpoint,
                   const StageHooks& hooks) {
  const std::int64_t total = options.schedule.total;
  const char* stage = options.objective == Objective::kSft ? "sft" : "dpo";
  Order pair_order(set.pairs.size(), options.seed * 3 + 1);
  Order correction_order(set.corrections.size(), options.seed * 3 + 2);
  Order retained_order(set.retained.size(), options.seed * 3 + 3);

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
    std::vector<const Pair*> pairs, corrections;
    std::vector<const Retained*> retained;
    draw(pair_order, options.pairs_per_step, set.pairs, pairs);
    draw(correction_order, options.corrections_per_step, set.corrections, corrections);
    draw(retained_order, options.retained_per_step, set.retained, retained);
    const Step step =
        make_step(pairs, corrections, retained, options.objective, state.rows.size(0));
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
