#include "learn/step.h"

#include <algorithm>

#include "learn/output.h"

namespace llmpatch {
namespace {

// Tokens of an unwanted beginning: "I'm sorry" is three.
constexpr std::size_t kBeginning = 3;

// Packs the examples of a step one after another.
class StepMaker {
 public:
  StepMaker(const StageOptions& options, const StepExamples& examples)
      : options_(options), examples_(examples) {}

  Step make(std::int64_t prefix_rows) {
    for (const Pair* pair : examples_.harmful) {
      const bool whole = pair == examples_.harmful.front();
      add_pair(*pair, whole ? 0 : options_.answer_tokens);
    }
    for (const Pair* pair : examples_.corrections) {
      add_benign();
      if (learns_corrected_answers() || pair->rejected.empty()) {
        add_pair(*pair, 0);
      } else {
        sequences_.push_back({pair->prompt, {}});
      }
      add_unwanted();
    }
    std::vector<torch::Tensor> hidden;
    for (const Retained* text : examples_.retained) {
      add_benign();
      sequences_.push_back({text->prompt, {}});
      add_answer(text->answer, step_.retained);
      add_unwanted();
      hidden.push_back(text->hidden);
    }
    if (!hidden.empty()) step_.retained_hidden = torch::cat(hidden);
    step_.reference_chosen = torch::tensor(chosen_, torch::kDouble).to(torch::kFloat32);
    step_.reference_rejected = torch::tensor(rejected_, torch::kDouble).to(torch::kFloat32);
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
  void add_pair(const Pair& pair, std::int64_t limit) {
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
  void add_benign() {
    if (options_.unlikelihood_weight <= 0) return;
    const auto& harmful = examples_.harmful;
    const std::size_t benign = step_.refused_tokens.size();
    step_.refused_tokens.push_back(harmful[benign % harmful.size()]->chosen.front());
    step_.benign_first_tokens.push_back(tokens_);
  }
  // Of the prompt added last.
  void add_unwanted() {
    const auto& corrections = examples_.corrections;
    if (options_.unlikelihood_weight <= 0 || corrections.empty()) return;
    Tokens beginning = corrections[unwanted_++ % corrections.size()]->rejected;
    if (beginning.empty()) return;
    beginning.resize(std::min(beginning.size(), kBeginning));
    add_answer(beginning, step_.unwanted);
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
    loss = sft_loss(logprobs[0]);
    if (options.first_token_weight > 0) {
      const torch::Tensor first = torch::tensor(step.chosen.first_tokens, torch::kLong);
      loss = loss + options.first_token_weight * sft_loss(logprobs[0].index_select(0, first));
    }
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
    torch::Tensor unlikelihood = unlikelihood_loss(logprobs[3]);
    if (step.unwanted.count_answers() > 0) {
      unlikelihood = unlikelihood + unlikelihood_loss(step.unwanted.sums(logprobs[2]));
    }
    numbers.metrics["unlikelihood"] = unlikelihood.item<double>();
    loss = loss + options.unlikelihood_weight * unlikelihood;
  }
  numbers.loss = loss.item<double>();
  if (step.retained_hidden.defined() && options.retain_weight > 0) {
    const torch::Tensor places = torch::tensor(step.retained.tokens, torch::kLong);
    const torch::Tensor divergence =
        token_divergence(step.retained_hidden, predicting.index_select(0, places), model.output())
            .sum();
    numbers.retain = divergence.item<double>() / static_cast<double>(places.size(0));
    const auto texts = static_cast<double>(step.retained.count_answers());
    loss = loss + divergence * (options.retain_weight / texts);
  }
  return {loss, std::move(numbers)};
}

}  // namespace llmpatch
