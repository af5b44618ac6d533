// The loss of a packed step.
#include "learn/output.h"
#include "learn/step.h"

namespace llmpatch {
namespace {

torch::Tensor as_floats(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble).to(torch::kFloat32);
}

std::vector<double> as_numbers(const torch::Tensor& values) {
  const torch::Tensor flat = values.detach().to(torch::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

// What the output layer says of several lists of tokens, computed together.
class TokenLists {
 public:
  TokenLists(const torch::Tensor& predicting, const torch::Tensor& targets)
      : predicting_(predicting), targets_(targets) {}

  void want(const std::vector<std::int64_t>& places) {
    const torch::Tensor rows = torch::tensor(places, torch::kLong);
    want(places, targets_.index_select(0, rows));
  }
  void want(const std::vector<std::int64_t>& places, const torch::Tensor& tokens) {
    rows_.push_back(torch::tensor(places, torch::kLong));
    tokens_.push_back(tokens);
    sizes_.push_back(tokens.size(0));
  }
  // log_taken of each, in the order in which they were wanted.
  std::vector<torch::Tensor> get(const FrozenMatrix& output, bool greedy) const {
    return log_taken(predicting_.index_select(0, torch::cat(rows_)), output, torch::cat(tokens_),
                     greedy)
        .split_with_sizes(sizes_);
  }

 private:
  const torch::Tensor& predicting_;
  const torch::Tensor& targets_;
  std::vector<torch::Tensor> rows_, tokens_;
  std::vector<std::int64_t> sizes_;
};

// What a benign answer should not begin with.
struct Beginnings {
  torch::Tensor probabilities;  // of each
  torch::Tensor prompts;        // each one's, counted among the benign prompts
};

// `unwanted` and `refused` are log_taken of the tokens of Step::unwanted and refused_tokens. By
// probability the ways of one prompt exclude each other and are one; two that greedy decoding
// nearly takes may add up to more than one, and stay apart.
Beginnings unwanted_beginnings(const Step& step, const torch::Tensor& unwanted,
                               const torch::Tensor& refused, bool greedy) {
  const torch::Tensor all = torch::arange(refused.size(0), torch::kLong);
  if (step.unwanted.count_answers() == 0) return {refused.exp(), all};
  const torch::Tensor others = step.unwanted.sums(unwanted).exp();
  const torch::Tensor prompts = torch::tensor(step.prompt_of_unwanted, torch::kLong);
  if (!greedy) return {refused.exp().index_add(0, prompts, others), all};
  return {torch::cat({refused.exp(), others}), torch::cat({all, prompts})};
}

}  // namespace

torch::Tensor retained_reference(const Transformer& model, const Step& step) {
  if (!step.layout.companion.defined()) return step.retained_hidden;
  torch::NoGradGuard frozen;
  return run_batch(model, {}, step.retained_beside)
      .index_select(0, step.retained_beside.predict_rows);
}

std::pair<torch::Tensor, StepNumbers> step_loss(const Transformer& model,
                                                const Adaptation& adaptation, const Step& step,
                                                const StageOptions& options) {
  const Layout& layout = step.layout;
  const torch::Tensor predicting =
      run_batch(model, adaptation, layout).index_select(0, layout.predict_rows);
  TokenLists answers(predicting, layout.targets), beginnings(predicting, layout.targets);
  answers.want(step.chosen.tokens);
  answers.want(step.rejected.tokens);
  const auto logprobs = answers.get(model.output(), /*greedy=*/false);
  beginnings.want(step.chosen_first_tokens());
  beginnings.want(step.unwanted.tokens);
  beginnings.want(step.benign_first_tokens, torch::tensor(step.refused_tokens, torch::kLong));
  const auto begun = beginnings.get(model.output(), options.greedy);
  const torch::Tensor chosen = step.chosen.sums(logprobs[0]);
  StepNumbers numbers;
  torch::Tensor loss;
  numbers.metrics["logps/chosen"] = chosen.detach().mean().item<double>();
  if (options.objective == Objective::kSft) {
    const torch::Tensor weights = as_floats(step.chosen_weights);
    const torch::Tensor answer_of_token = torch::tensor(step.chosen.answer_of_token, torch::kLong);
    loss = sft_loss(logprobs[0], weights.index_select(0, answer_of_token));
    loss = loss + options.first_token_weight * sft_loss(begun[0], weights);
    numbers.harmful_difficulty = as_numbers(1 - begun[0].narrow(0, 0, step.harmful).exp());
  } else {
    const torch::Tensor rejected = step.rejected.sums(logprobs[1]);
    const DpoResult dpo = dpo_loss(chosen, rejected, as_floats(step.reference_chosen),
                                   as_floats(step.reference_rejected), options.beta);
    loss = dpo.loss;
    const torch::Tensor rewards = dpo.chosen - dpo.rejected;
    numbers.metrics["rewards/chosen"] = dpo.chosen.mean().item<double>();
    numbers.metrics["rewards/rejected"] = dpo.rejected.mean().item<double>();
    numbers.metrics["rewards/margins"] = rewards.mean().item<double>();
    numbers.metrics["rewards/accuracies"] = (rewards > 0).to(torch::kFloat32).mean().item<double>();
    numbers.metrics["logps/rejected"] = rejected.detach().mean().item<double>();
  }
  if (!step.benign_first_tokens.empty()) {
    const Beginnings unwanted = unwanted_beginnings(step, begun[1], begun[2], options.greedy);
    const torch::Tensor weights = as_floats(step.benign_weights);
    const auto prompts = weights.size(0);
    const torch::Tensor unlikelihood =
        unlikelihood_loss(unwanted.probabilities, weights.index_select(0, unwanted.prompts)) *
        (static_cast<double>(unwanted.prompts.size(0)) / static_cast<double>(prompts));
    if (options.objective == Objective::kSft) {
      const torch::Tensor found = unwanted.probabilities.detach();
      numbers.benign_difficulty =
          as_numbers(torch::zeros({prompts}).index_add(0, unwanted.prompts, found).clamp_max(1));
    }
    numbers.metrics["unlikelihood"] = unlikelihood.item<double>();
    loss = loss + options.unlikelihood_weight * unlikelihood;
  }
  numbers.loss = loss.item<double>();
  if (step.retained_hidden.defined()) {
    const torch::Tensor places = torch::tensor(step.retained.tokens, torch::kLong);
    const torch::Tensor divergence = token_divergence(
        retained_reference(model, step), predicting.index_select(0, places), model.output());
    loss = loss + (divergence * as_floats(step.retained_weights)).sum();
    const auto mean = [&](std::int64_t first, std::int64_t count) {
      return count > 0 ? divergence.detach().narrow(0, first, count).mean().item<double>() : 0;
    };
    numbers.retain = mean(0, step.short_tokens);
    const std::int64_t whole_tokens = places.size(0) - step.short_tokens;
    if (whole_tokens > 0) numbers.metrics["kl/whole"] = mean(step.short_tokens, whole_tokens);
  }
  return {loss, std::move(numbers)};
}

}  // namespace llmpatch
