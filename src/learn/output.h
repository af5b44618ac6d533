// What is asked of the output layer: log-probabilities of answer tokens, and the divergence between
// two models' next-token distributions. Both go through the vocabulary in chunks of rows, so that
// [rows, vocabulary] never exists at once.
#pragma once

#include <torch/types.h>

#include "learn/linear.h"

namespace llmpatch {

// Natural log-probability of targets[i] under softmax(hidden[i] . output^T).
// hidden [A, d], output [vocabulary, d] (frozen), targets [A] int64; returns [A] f32 (f64 for f64).
torch::Tensor token_logprobs(const torch::Tensor& hidden, const FrozenMatrix& output,
                             const torch::Tensor& targets);

// By how much the logit of every row's token `targets` [rows] exceeds that of the likeliest other
// token [rows]: greedy decoding takes the token where that is positive. Smooth: the largest of the
// others is log(sum of exp(4 logit)) / 4.
torch::Tensor token_margins(const torch::Tensor& hidden, const FrozenMatrix& output,
                            const torch::Tensor& targets);

// Log of how nearly an answer takes every row's token [rows]: with `greedy` the log-sigmoid of
// token_margins, one half where another token is as likely; else token_logprobs.
torch::Tensor log_taken(const torch::Tensor& hidden, const FrozenMatrix& output,
                        const torch::Tensor& targets, bool greedy);

// KL(base || patched) per row, in nats: hidden_base [A, d] (constant) and hidden [A, d] are the
// final hidden states of the two, behind the same output layer. Returns [A].
torch::Tensor token_divergence(const torch::Tensor& hidden_base, const torch::Tensor& hidden,
                               const FrozenMatrix& output);

}  // namespace llmpatch
