// One step of learning: its examples in one batch, and their loss.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "base/json.h"
#include "learn/examples.h"
#include "learn/importance_sampler.h"
#include "learn/layout.h"
#include "learn/losses.h"
#include "learn/stage_options.h"
#include "learn/transformer.h"

namespace llmpatch {

// What a step learns from. Nothing is owned.
struct StepExamples {
  std::vector<Drawn<Pair>> harmful;       // at least one
  std::vector<Drawn<Pair>> corrections;   // pairs of benign prompts that the base model refuses
  std::vector<Drawn<Retained>> retained;  // with hidden states
  std::vector<const Retained*> whole;     // likewise, with longer answers
  std::vector<const Tokens*> unwanted;    // see TrainingSet
};

// Some of a batch's answers.
struct AnswerGroup {
  std::vector<std::int64_t> tokens;           // places in Layout::targets
  std::vector<std::int64_t> answer_of_token;  // counted in the group
  std::vector<std::int64_t> first_tokens;     // of each answer: places in `tokens`

  void add(std::int64_t first, std::size_t count) {
    first_tokens.push_back(static_cast<std::int64_t>(tokens.size()));
    for (std::size_t i = 0; i < count; ++i) {
      tokens.push_back(first + static_cast<std::int64_t>(i));
      answer_of_token.push_back(count_answers() - 1);
    }
  }
  std::int64_t count_answers() const { return static_cast<std::int64_t>(first_tokens.size()); }
  // Sums of `per_token` (one value per token of the group) over each answer.
  torch::Tensor sums(const torch::Tensor& per_token) const {
    return sum_by_answer(per_token, torch::tensor(answer_of_token, torch::kLong), count_answers());
  }
};

// The packed examples of one step.
struct Step {
  Layout layout;
  AnswerGroup chosen, rejected;  // of pairs; SFT has no rejected ones
  std::int64_t harmful = 0;  // so many answers of `chosen`, the first ones, are to harmful prompts
  AnswerGroup retained;      // of retained texts, then of those with longer answers
  std::int64_t short_tokens = 0;  // so many of its tokens are of the former
  // How answers to benign prompts should not begin: as the base model's own refusals of some, as
  // the examples say, and (the first token alone) as chosen answers to harmful prompts.
  AnswerGroup unwanted;
  std::vector<std::int64_t> prompt_of_unwanted;  // of each: counted among the benign prompts
  std::vector<std::int64_t> benign_first_tokens, refused_tokens;
  std::vector<double> chosen_weights, benign_weights;  // a weight an answer, a benign prompt
  std::vector<double> retained_weights;                // a weight a token
  // Places of the first tokens of chosen answers in Layout::targets.
  std::vector<std::int64_t> chosen_first_tokens() const {
    std::vector<std::int64_t> places;
    for (const std::int64_t first : chosen.first_tokens) {
      places.push_back(chosen.tokens[static_cast<std::size_t>(first)]);
    }
    return places;
  }
  std::vector<double> reference_chosen, reference_rejected;  // of each pair
  torch::Tensor retained_hidden;                             // [retained tokens, width]
  // With a companion: the retained texts behind the companion alone, for retained_reference().
  Layout retained_beside;
};

// Packs examples behind a prefix of `prefix_rows` rows, beside `companion` [m, width] (undefined:
// alone).
Step make_step(const StageOptions& options, const StepExamples& examples, std::int64_t prefix_rows,
               const torch::Tensor& companion = {});

// The hidden states that the distributions of retained texts are compared with, [retained tokens,
// width]. Alone they are M's, known beforehand. Beside a companion they are those of M and the
// companion, which cost one forward pass without gradients: compared with M, everything that the
// companion does to benign texts would count as the learned prefix's own fault, and it would learn
// to undo its neighbours.
torch::Tensor retained_reference(const Transformer& model, const Step& step);

// What one step computed, for the log.
struct StepNumbers {
  double loss = 0;      // of the objective
  double retain = 0;    // mean KL per token of the retained texts of this step
  OrderedJson metrics;  // TRL's names
  // How much probability is on the wrong first words, 0 to 1, in SFT: on harmful prompts, and where
  // there is unlikelihood on benign ones, corrections before retained texts.
  std::vector<double> harmful_difficulty, benign_difficulty;
};

// The other terms need no such care. Cross-entropy and unlikelihood are about what is said, with no
// reference. DPO's reference stays what it is alone, a constant of each pair: it sets the margin by
// which the chosen answer is to be preferred, and that is to be reached whatever stands beside.
//
// The loss of a step, a scalar with a gradient to the tensors of `adaptation`; `step`, packed
// behind as many rows as that has, must outlive backward().
std::pair<torch::Tensor, StepNumbers> step_loss(const Transformer& model,
                                                const Adaptation& adaptation, const Step& step,
                                                const StageOptions& options);

}  // namespace llmpatch
