// Divergence of systems on the answers of one of them, token by token. Internal to eval/.
#pragma once

#include <span>
#include <vector>

#include "eval/evaluate.h"
#include "eval/run.h"

namespace llmpatch {

// An answer under the system that wrote it and under another.
struct AnswerDivergence {
  std::vector<double> kl;  // KL(writer || other), position by position
  double log_prob = 0;     // natural log-probability of the whole answer under the writer
};

// Compares on `requests` of the writer with those of the other, whose continuations are the same
// and not empty (the prompts may differ: a system message). Both engines' models have one
// vocabulary. Logits are held for a few requests at a time; `progress` counts requests.
Result<std::vector<AnswerDivergence>> measure_divergence(std::span<const ScoreRequest> of_writer,
                                                         std::span<const ScoreRequest> of_other,
                                                         Engine& writer, Engine& other,
                                                         const CancelFlag* cancel,
                                                         const ProgressFn& progress);

// The answer as text to be predicted, with its end where the model ended it: whether an answer
// stops is part of what may change.
Tokens continuation_of(const Model& model, const Answer& answer);

}  // namespace llmpatch
