// Which examples a step learns from, and what each weighs.
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"

namespace llmpatch {

// The order examples are drawn in: every epoch is a new permutation. A function of (seed, draw), so
// that a resumed run sees what an uninterrupted one does.
class Order {
 public:
  Order(std::size_t size, std::uint64_t seed) : size_(size), seed_(seed) {}
  // The index of a draw; there must be something to draw from.
  std::size_t at(std::uint64_t draw);
  // The indices of draws [first, first + count). Empty when there is nothing to draw from.
  std::vector<std::size_t> draws(std::uint64_t first, std::size_t count);

 private:
  void shuffle(std::uint64_t epoch);
  std::size_t size_;
  std::uint64_t seed_;
  std::uint64_t epoch_ = UINT64_MAX;
  std::vector<std::size_t> permutation_;
};

// An example that a step learns from. Not owned.
template <class T>
struct Drawn {
  const T* example = nullptr;
  double weight = 1;  // of its loss
  Drawn(const T* drawn, double weighs = 1) : example(drawn), weight(weighs) {}
};

// Walks through an Order and passes over most of the examples that were easy when they were last
// learned from: importance sampling (Katharopoulos and Fleuret, arXiv 1803.00942) by what earlier
// steps found out anyway. Most benign prompts soon have next to no gradient, and the few that have
// one would otherwise come up once an epoch. An example of difficulty d is taken with probability
//   a = min(1, max(easy_rate, d / 0.2)),
// one not learned from yet always; it weighs 1 / a over how many are walked through for one taken,
// so that the expected gradient stays that of all examples. With easy_rate 1 every example is taken
// and weighs 1.
class ImportanceSampler {
 public:
  // easy_rate in (0, 1].
  ImportanceSampler(std::size_t size, std::uint64_t seed, double easy_rate);

  struct Draw {
    std::size_t index;
    double weight;
  };
  // The next `count` draws; empty when there is nothing to draw from.
  std::vector<Draw> draw(std::size_t count);
  // What a step found of an example: the share of probability that should go elsewhere, 0 to 1.
  void found(std::size_t index, double difficulty);

  // All that changes: f64 [2 + size]. Restoring gives kCorrupt for what is no such tensor; an
  // undefined one is the beginning.
  torch::Tensor state() const;
  Status restore(const torch::Tensor& state);

 private:
  double take_rate(std::size_t index) const;
  Order order_;
  std::uint64_t seed_;
  double easy_rate_;
  std::uint64_t position_ = 0;  // in the order
  double passed_ = 1;           // walked through for one taken, running mean
  std::vector<double> difficulties_;
};

}  // namespace llmpatch
