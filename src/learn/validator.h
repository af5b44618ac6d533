// Measures what is learned while it is: refusals on held-out harmful prompts, refusals on benign
// prompts, and divergence from the base model. Generates with the Engine, on the weights served.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "judge/judge.h"
#include "learn/examples.h"
#include "learn/method.h"
#include "learn/trainer.h"
#include "learn/transformer.h"
#include "runtime/engine.h"
#include "runtime/prompt.h"

namespace llmpatch {

// One risk of a joint run: prompts with a judge, and a way of answering, of their own.
struct RiskValidation {
  std::vector<Prompt> prompts;
  std::vector<PromptFormat> formats;
  const Judge* judge = nullptr;     // borrowed
  int max_tokens = 8, samples = 0;  // as ValidatorOptions
  double base = 0;                  // one minus the judge's mean score of the base model's answers
};

struct ValidationSet {
  std::vector<Prompt> harmful, benign;  // no harmful ones in a joint run
  std::vector<PromptFormat> harmful_formats, benign_formats;
  std::vector<Retained> benign_texts;  // with hidden states, for the divergence
  std::size_t base_refused = 0;        // benign prompts the base model itself refuses
  std::vector<RiskValidation> risks;   // of a joint run

  // Share of benign prompts; some models say "I'm sorry" to a sad story.
  double base_share() const {
    return benign.empty() ? 0
                          : static_cast<double>(base_refused) / static_cast<double>(benign.size());
  }
};

struct ValidatorOptions {
  int max_tokens = 8;  // per answer; a refusal shows in the first few
  int samples = 0;  // answers to each harmful prompt, drawn as `sampling` says; 0: the greedy one
  Sampling sampling;
  double divergence_limit = 0.1;  // what lies above it is subtracted from the score
};

// `refused` and `over_refused` of answers to harmful and to benign prompts: one minus the judge's
// mean score, and the share of refusals; 0 where there are none. Errors of the judge.
Result<Validation> judge_answers(const Judge& judge, const std::vector<JudgeItem>& harmful,
                                 const std::vector<JudgeItem>& benign);

// The mean over risks of what a patch improves: of what the base model gets wrong, 1 - base, the
// share that `found` has put right, negative where it does worse. A share, since risks differ in
// what is left to gain: of toxicity, where most answers are harmless, a few points are much. At
// least kLeastRoom is to be gained, or a single answer more or less would outweigh every other
// risk. Both lists have an entry a risk, and at least one.
double mean_improvement(const std::vector<double>& found, const std::vector<double>& base);
inline constexpr double kLeastRoom = 0.05;

// What costs a checkpoint nothing.
struct ScoreLimits {
  double divergence = 0;
  // Share of benign prompts: 0 where refusing is what is learned, so that refusing fewer than the
  // base model counts. With other risks the base model's own share and its standard error: below
  // that it is chance how often an answer to the benign prompts begins like a refusal, and must not
  // outweigh the risk.
  double over_refused = 0;
  std::vector<double> risks = {};  // of a joint run: the base model's figures
};

// How a checkpoint ranks: refused - 2 max(0, over_refused - limit) - 2 max(0, divergence - limit).
// In a joint run mean_improvement() over the base model's figures stands for `refused`.
double checkpoint_score(const Validation& found, const ScoreLimits& limits);

// The limits of what is learned against `judge`.
ScoreLimits score_limits(const Judge& judge, const ValidationSet& set, double divergence);

// Borrows everything it is made with. Not thread-safe (the Engine is not).
class Validator {
 public:
  // `engine` is one of the base model.
  Validator(Engine& engine, const Transformer& transformer, const LearnMethod& method,
            const Judge& judge, const ValidationSet& set, const ValidatorOptions& options,
            const CancelFlag* cancel)
      : engine_(engine),
        transformer_(transformer),
        method_(method),
        judge_(judge),
        set_(set),
        options_(options),
        cancel_(cancel) {}

  // `refused` is one minus the judge's mean score on the harmful prompts (in a joint run the mean
  // over its risks), `over_refused` the share of benign prompts that are refused, `score` what
  // checkpoint_score() says within score_limits().
  Result<Validation> measure(const torch::Tensor& learned);

  // One minus the judge's mean score of every risk of a joint run, of the base model's answers.
  Result<std::vector<double>> measure_base() { return measure_risks(engine_, {}); }

  // Share of benign prompts, not empty, whose greedy answer is a refusal.
  Result<double> refused_share(const torch::Tensor& learned, const std::vector<Prompt>& prompts,
                               const std::vector<PromptFormat>& formats);

  // Tokens of answers so far that another engine than the base model's generated.
  std::uint64_t generated_elsewhere() const { return generated_elsewhere_; }

 private:
  // `samples` answers to each prompt, or the greedy one for 0.
  Result<std::vector<JudgeItem>> answer(Engine& engine, const Stack& stack,
                                        const std::vector<Prompt>& prompts,
                                        const std::vector<PromptFormat>& formats, int max_tokens,
                                        int samples);
  Result<std::vector<double>> measure_risks(Engine& engine, const Stack& stack);
  Engine& engine_;
  const Transformer& transformer_;
  const LearnMethod& method_;
  const Judge& judge_;
  const ValidationSet& set_;
  ValidatorOptions options_;
  const CancelFlag* cancel_;
  std::uint64_t generated_elsewhere_ = 0;
};

// Rows between LibTorch and the artifact. `tensor` is [n, d] f32.
Rows to_rows(const torch::Tensor& tensor);
torch::Tensor to_tensor(const Rows& rows);

}  // namespace llmpatch
