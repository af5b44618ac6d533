// Low-rank updates (LoRA, Hu et al., arXiv 2106.09685) as the one tensor that is learned: the
// factors of all updated matrices laid out one after another.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "gguf/lora.h"
#include "learn/adaptation.h"
#include "learn/lora_targets.h"

namespace llmpatch {

class LoraLayout {
 public:
  LoraLayout(std::vector<TargetMatrix> matrices, std::int64_t rank, double alpha);

  const std::vector<TargetMatrix>& matrices() const { return matrices_; }
  std::int64_t size() const { return size_; }  // numbers in all

  // [1, size] f32. As PEFT begins: A uniform within 1 / sqrt(inputs) (Kaiming's for a = sqrt(5)), B
  // zero, so that the model is the base model. The same seed gives the same numbers everywhere.
  torch::Tensor initial(std::uint64_t seed) const;

  // Views of `learned` [1, size], of any floating type; gradients flow to it.
  Adaptation adapt(const torch::Tensor& learned) const;

  // Copies of the factors, in the order of matrices(), as an adapter of `architecture`.
  Lora to_lora(const torch::Tensor& learned, const std::string& architecture) const;

 private:
  std::vector<TargetMatrix> matrices_;
  std::int64_t rank_;
  double alpha_;
  std::vector<std::int64_t> sizes_;  // of A and B of every matrix in turn
  std::int64_t size_ = 0;
};

}  // namespace llmpatch
