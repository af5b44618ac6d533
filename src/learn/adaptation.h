// What a frozen base model is run with: rows before every prompt, and low-rank updates of its
// matrices. What is learned is one tensor that becomes one of these.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace llmpatch {

// The factors of what is added to a matrix [outputs, inputs]: LowRankUpdates::scale * up . down.
struct LowRankUpdate {
  torch::Tensor down;  // PEFT's A: [rank, inputs]
  torch::Tensor up;    // PEFT's B: [outputs, rank]
};

struct LowRankUpdates {
  double scale = 1;                                      // alpha / rank
  std::map<std::string, LowRankUpdate, std::less<>> of;  // by the matrix's name in the GGUF file

  bool empty() const { return of.empty(); }
  // Null where the matrix stays as it is.
  const LowRankUpdate* find(std::string_view name) const {
    const auto found = of.find(name);
    return found == of.end() ? nullptr : &found->second;
  }
};

// Gradients flow to all of its tensors. As made by default: nothing, the base model itself.
struct Adaptation {
  torch::Tensor prefix;  // [n, width], or undefined for none
  LowRankUpdates updates;

  Adaptation() = default;
  // Rows, wherever they are given, are a prefix.
  Adaptation(torch::Tensor rows) : prefix(std::move(rows)) {}

  std::int64_t prefix_rows() const { return prefix.defined() ? prefix.size(0) : 0; }
};

// What a learned tensor becomes.
using AdaptFn = std::function<Adaptation(const torch::Tensor& learned)>;

}  // namespace llmpatch
