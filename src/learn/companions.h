// Prefixes that stand beside the one being learned at some steps, so that it learns to do its work
// whatever else is composed with it in parallel.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "learn/transformer.h"

namespace llmpatch {

// What a step's companion is drawn from. Thread-safe; rows are never written to.
class Companions {
 public:
  Companions() = default;  // none: every step is learned alone

  // At a share `rate` of the steps one of `prefixes` ([m, width] each) stands beside, or with
  // `random_rows` > 0, as one more of them, so many rows of tokens that are drawn anew for every
  // step. They are rows of real tokens, not noise of the embedding table's spread, because patches
  // begin as tokens and stay near them (their mean square grows by a tenth): noise of that spread
  // is like no token, and a companion should be like what a patch will meet.
  Companions(std::vector<torch::Tensor> prefixes, std::int64_t random_rows, double rate)
      : prefixes_(std::move(prefixes)), random_rows_(random_rows), rate_(rate) {}

  bool none() const { return prefixes_.empty() && random_rows_ == 0; }

  // The companion of a step, undefined where it is learned alone: a function of (seed, step), so
  // that a resumed run sees what an uninterrupted one does.
  torch::Tensor draw(const Transformer& model, std::uint64_t seed, std::int64_t step) const;

 private:
  std::vector<torch::Tensor> prefixes_;
  std::int64_t random_rows_ = 0;
  double rate_ = 0;
};

}  // namespace llmpatch
