#include "learn/step.h"

#include <algorithm>

namespace llmpatch {
namespace {

// Tokens of an unwanted beginning: "I'm sorry" is three.
constexpr std::size_t kBeginning = 3;

// Packs the examples of a step one after another.
class StepMaker {
 public:
  StepMaker(const StageOptions& options, const StepExamples& examples)
      : options_(options), examples_(examples) {
    for (const auto& drawn : examples.harmful) {
      if (drawn.example->refuses) refusals_.push_back(drawn.example);
    }
  }

  Step make(std::int64_t prefix_rows, const torch::Tensor& companion) {
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
    for (const auto& drawn : examples_.retained) {
      add_benign(drawn.weight);
      add_retained(*drawn.example, drawn.weight * options_.retain_weight /
                                       static_cast<double>(examples_.retained.size()));
      add_unwanted();
    }
    step_.short_tokens = static_cast<std::int64_t>(step_.retained.tokens.size());
    std::size_t whole_tokens = 0;
    for (const Retained* text : examples_.whole) whole_tokens += text->answer.size();
    for (const Retained* text : examples_.whole) {
      add_retained(*text, options_.whole_retain_weight / static_cast<double>(whole_tokens));
    }
    if (!hidden_.empty()) step_.retained_hidden = torch::cat(hidden_);
    step_.harmful = static_cast<std::int64_t>(examples_.harmful.size());
    step_.layout = pack(sequences_, prefix_rows, companion);
    if (companion.defined() && !retained_.empty()) {
      step_.retained_beside = pack(retained_, 0, companion);
    }
    return std::move(step_);
  }

 private:
  void add_answer(const Tokens& answer, AnswerGroup& group) {
    group.add(tokens_, answer.size());
    tokens_ += static_cast<std::int64_t>(answer.size());
    sequences_.back().answers.push_back(answer);
  }
  // `weight`: of the divergence at each of its tokens.
  void add_retained(const Retained& text, double weight) {
    sequences_.push_back({text.prompt, {}});
    add_answer(text.answer, step_.retained);
    step_.retained_weights.insert(step_.retained_weights.end(), text.answer.size(), weight);
    hidden_.push_back(text.hidden);
    retained_.push_back({text.prompt, {text.answer}});
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
    step_.reference_chosen.push_back(pair.reference_chosen);
    step_.reference_rejected.push_back(pair.reference_rejected);
  }
  // Where SFT is told how answers to benign prompts should not begin, that is enough: one sampled
  // answer of many says little about what else to say, and its cross-entropy never vanishes.
  bool learns_corrected_answers() const {
    return options_.objective == Objective::kDpo || options_.unlikelihood_weight <= 0;
  }
  // Whether this step says how benign answers should not begin.
  bool has_unlikelihood() const { return options_.unlikelihood_weight > 0 && !refusals_.empty(); }
  // The next answer to be added is one to a benign prompt.
  void add_benign(double weight) {
    if (!has_unlikelihood()) return;
    const std::size_t benign = step_.refused_tokens.size();
    step_.refused_tokens.push_back(refusals_[benign % refusals_.size()]->chosen.front());
    step_.benign_weights.push_back(weight);
    step_.benign_first_tokens.push_back(tokens_);
  }
  // Of the prompt added last.
  void add_unwanted() {
    const auto& corrections = examples_.corrections;
    if (!has_unlikelihood()) return;
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
  std::vector<const Pair*> refusals_;  // of the harmful examples
  std::vector<Sequence> sequences_;
  std::vector<Sequence> retained_;  // texts alone, in the order of step_.retained
  std::vector<torch::Tensor> hidden_;
  std::int64_t tokens_ = 0;   // of answers so far
  std::size_t unwanted_ = 0;  // asked for so far
};

}  // namespace

Step make_step(const StageOptions& options, const StepExamples& examples, std::int64_t prefix_rows,
               const torch::Tensor& companion) {
  return StepMaker(options, examples).make(prefix_rows, companion);
}

}  // namespace llmpatch
