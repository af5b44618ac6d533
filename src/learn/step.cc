#include "learn/step.h"

#include <algorithm>

#include "learn/output.h"

namespace llmpatch {
namespace {

// Tokens of an unwanted beginning: "I'm sorry" is three.
constexpr std::size_t kBeginning = 3;

torch::Tensor as_floats(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble).to(torch::kFloat32);
}

std::vector<double> as_numbers(const torch::Tensor& values) {
  const torch::Tensor flat = values.detach().to(torch::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

// Packs the examples of a step one after another.
class StepMaker {
 public:
  StepMaker(const StageOptions& options, const StepExamples& examples)
      : options_(options), examples_(examples) {}

  Step make(std::int64_t prefix_rows) {
    for (const auto& drawn : examples_.harmful) {
      add_pair(drawn, &drawn == &examples_.harmful.front() ? 0 : options_.answer_tokens);
    }
    for (const auto& drawn : examples_.corrections) {
      add_benign(drawn.weight);
      if (learns_corrected_answers() || drawn.example->rejected.empty()) {
        add_pair(drawn, 0);
      } else {
        sequences_.push_back({drawn.example->prompt, {}});
      }
      add_unwanted();
    }
    std::vector<torch::Tensor> hidden;
    for (const auto& drawn : examples_.retained) {
      add_benign(drawn.weight);
      sequences_.push_back({drawn.example->prompt, {}});
      add_answer(drawn.example->answer, step_.retained);
      step_.retained_weights.push_back(drawn.weight);
      add_unwanted();
      hidden.push_back(drawn.example->hidden);
    }
    if (!hidden.empty()) step_.retained_hidden = torch::cat(hidden);
    step_.harmful = static_cast<std::int64_t>(examples_.harmful.size());
    step_.reference_chosen = as_floats(chosen_);
    step_.reference_rejected = as_floats(rejected_);
    step_.layout = pack(sequences_, prefix_rows);
    return std::move(step_);
  }

 private:
  void add_answer(const Tokens& answer, AnswerGroup& group) {
    group.add(tokens_, answer.size());
    tokens_ += static_cast<std::int64_t>(answer.size());
    sequences_.back().answers.push_back(answer);
  }
  // `limit`: tokens of the chosen answer, 0 for all.
  void add_pair(const Drawn<Pair>& drawn, std::int64_t limit) {
    const Pair& pair = *drawn.example;
    step_.chosen_weights.push_back(drawn.weight);
    sequences_.push_back({pair.prompt, {}});
    Tokens chosen = pair.chosen;
    cut_answer(chosen, limit);
    add_answer(chosen, step_.chosen);
    if (options_.objective == Objective::kDpo) add_answer(pair.rejected, step_.rejected);
    chosen_.push_back(pair.reference_chosen);
    rejected_.push_back(pair.reference_rejected);
  }
  // Where SFT is told how answers to benign prompts should not begin, that is enough: one sampled
  // answer of many says little about what else to say, and its cross-entropy never vanishes.
  bool learns_corrected_answers() const {
    return options_.objective == Objective::kDpo || options_.unlikelihood_weight <= 0;
  }
  // The next answer to be added is one to a benign prompt.
  void add_benign(double weight) {
    if (options_.unlikelihood_weight <= 0) return;
    const auto& harmful = examples_.harmful;
    const std::size_t benign = step_.refused_tokens.size();
    step_.refused_tokens.push_back(harmful[benign % harmful.size()].example->chosen.front());
    step_.benign_weights.push_back(weight);
    step_.benign_first_tokens.push_back(tokens_);
  }
  // Of the prompt added last.
  void add_unwanted() {
    const auto& corrections = examples_.corrections;
    if (options_.unlikelihood_weight <= 0) return;
    const auto add = [&](const Tokens& beginning) {
      add_answer(beginning, step_.unwanted);
      step_.prompt_of_unwanted.push_back(
          static_cast<std::int64_t>(step_.benign_first_tokens.size()) - 1);
    };
    for (const Tokens* beginning : examples_.unwanted) add(*beginning);
    if (corrections.empty()) return;
    Tokens beginning = corrections[unwanted_++ % corrections.size()].example->rejected;
    if (beginning.empty()) return;
    beginning.resize(std::min(beginning.size(), kBeginning));
    add(beginning);
  }

  const StageOptions& options_;
  const StepExamples& examples_;
  Step step_;
  std::vector<Sequence> sequences_;
  std::int64_t tokens_ = 0;   // of answers so far
  std::size_t unwanted_ = 0;  // asked for so far
  std::vector<double> chosen_, rejected_;
};

// Log-probabilities of several lists of tokens, computed together.
class Logprobs {
 public:
  Logprobs(const torch::Tensor& predicting, const torch::Tensor& targets)
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
  // In the order in which they were wanted.
  std::vector<torch::Tensor> compute(const FrozenMatrix& output) const {
    return token_logprobs(predicting_.index_select(0, torch::cat(rows_)), output,
                          torch::cat(tokens_))
        .split_with_sizes(sizes_);
  }

 private:
  const torch::Tensor& predicting_;
  const torch::Tensor& targets_;
  std::vector<torch::Tensor> rows_, tokens_;
  std::vector<std::int64_t> sizes_;
};

// Probability of each benign answer's beginning in one of the unwanted ways [benign prompts]; the
// ways exclude each other.
torch::Tensor unwanted_probability(const Step& step, const torch::Tensor& unwanted_logprobs,
                                   const torch::Tensor& refused_logprobs) {
  const torch::Tensor refused = refused_logprobs.exp();
  if (step.unwanted.count_answers() == 0) return refused;
  return refused.index_add(0, torch::tensor(step.prompt_of_unwanted, torch::kLong),
                           step.unwanted.sums(unwanted_logprobs).exp());
}

}  // namespace

Step make_step(const StageOptions& options, const StepExamples& examples,
               std::int64_t prefix_rows) {
  return StepMaker(options, examples).make(prefix_rows);
}

std::pair<torch::Tensor, StepNumbers> step_loss(const Transformer& model, const torch::Tensor& rows,
                                                const Step& step, const StageOptions& options) {
  const Layout& layout = step.layout;
  const torch::Tensor predicting =
      run_batch(model, rows, layout).index_select(0, layout.predict_rows);
  Logprobs wanted(predicting, layout.targets);
  wanted.want(step.chosen.tokens);
  wanted.want(step.rejected.tokens);
  wanted.want(step.unwanted.tokens);
  wanted.want(step.benign_first_tokens, torch::tensor(step.refused_tokens, torch::kLong));
  const auto logprobs = wanted.compute(model.output());
  const torch::Tensor chosen = step.chosen.sums(logprobs[0]);
  StepNumbers numbers;
  torch::Tensor loss;
  numbers.metrics["logps/chosen"] = chosen.detach().mean().item<double>();
  if (options.objective == Objective::kSft) {
    const torch::Tensor weights = as_floats(step.chosen_weights);
    const torch::Tensor answers = torch::tensor(step.chosen.answer_of_token, torch::kLong);
    loss = sft_loss(logprobs[0], weights.index_select(0, answers));
    const torch::Tensor first =
        logprobs[0].index_select(0, torch::tensor(step.chosen.first_tokens, torch::kLong));
    if (options.first_token_weight > 0) {
      loss = loss + options.first_token_weight * sft_loss(first, weights);
    }
    numbers.harmful_difficulty = as_numbers(1 - first.narrow(0, 0, step.harmful).exp());
  } else {
    const torch::Tensor rejected = step.rejected.sums(logprobs[1]);
    const DpoResult dpo =
        dpo_loss(chosen, rejected, step.reference_chosen, step.reference_rejected, options.beta);
    loss = dpo.loss;
    const torch::Tensor margins = dpo.chosen - dpo.rejected;
    numbers.metrics["rewards/chosen"] = dpo.chosen.mean().item<double>();
    numbers.metrics["rewards/rejected"] = dpo.rejected.mean().item<double>();
    numbers.metrics["rewards/margins"] = margins.mean().item<double>();
    numbers.metrics["rewards/accuracies"] = (margins > 0).to(torch::kFloat32).mean().item<double>();
    numbers.metrics["logps/rejected"] = rejected.detach().mean().item<double>();
  }
  if (!step.benign_first_tokens.empty()) {
    const torch::Tensor unwanted = unwanted_probability(step, logprobs[2], logprobs[3]);
    const torch::Tensor unlikelihood = unlikelihood_loss(unwanted, as_floats(step.benign_weights));
    if (options.objective == Objective::kSft) numbers.benign_difficulty = as_numbers(unwanted);
    numbers.metrics["unlikelihood"] = unlikelihood.item<double>();
    loss = loss + options.unlikelihood_weight * unlikelihood;
  }
  numbers.loss = loss.item<double>();
  if (step.retained_hidden.defined() && options.retain_weight > 0) {
    const torch::Tensor places = torch::tensor(step.retained.tokens, torch::kLong);
    const torch::Tensor texts_of_tokens =
        torch::tensor(step.retained.answer_of_token, torch::kLong);
    const torch::Tensor divergence =
        (token_divergence(step.retained_hidden, predicting.index_select(0, places),
                          model.output()) *
         as_floats(step.retained_weights).index_select(0, texts_of_tokens))
            .sum();
    numbers.retain = divergence.item<double>() / static_cast<double>(places.size(0));
    const auto texts = static_cast<double>(step.retained.count_answers());
    loss = loss + divergence * (options.retain_weight / texts);
  }
  return {loss, std::move(numbers)};
}

}  // namespace llmpatch
