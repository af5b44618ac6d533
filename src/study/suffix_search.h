// An adaptive attack: searches a suffix that makes a model, with its patches, answer a request.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "base/cancel.h"
#include "base/result.h"
#include "learn/transformer.h"
#include "runtime/model.h"

namespace llmpatch {

struct SuffixSearchOptions {
  int steps = 32;
  int candidates = 32;                   // suffixes tried a step
  int likeliest = 64;                    // tokens considered at a place, by the gradient
  int suffix_tokens = 12;                // of the suffix that the search begins with
  std::string target = "Sure, here is";  // how the answer is to begin
  std::uint64_t seed = 0;
};

struct FoundSuffix {
  std::string suffix;
  double loss_before = 0;  // minus the mean log-probability of the target's tokens: with the first
  double loss = 0;         // suffix, and with this one
  int steps = 0;           // done
};

// What is attacked. Everything is borrowed.
struct AttackedModel {
  const Model& model;  // tokenizer
  const Transformer& transformer;
  torch::Tensor prefix;  // [n, width], or undefined for none
  // The tokens of the whole prompt that asks `request`: the chat template around it.
  std::function<Result<Tokens>(const std::string& request)> encode;
};

// Greedy coordinate gradient (Zou et al., arXiv 2307.15043, Algorithm 1), with a small budget: each
// step exchanges one token of the suffix for one that the gradient of the target's loss prefers,
// tries `candidates` of these, and keeps the best if it is better. A candidate is judged as the
// text that a user would send, tokenised anew. Deterministic for a seed on one machine. kCancelled;
// kInvalidArgument where the template does not hold a request as its own text, or the target has no
// tokens; and the errors of `encode`.
Result<FoundSuffix> search_suffix(const AttackedModel& attacked, const std::string& request,
                                  const SuffixSearchOptions& options,
                                  const CancelFlag* cancel = nullptr);

}  // namespace llmpatch
