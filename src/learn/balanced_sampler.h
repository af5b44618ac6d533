// Which examples a step of a joint run learns from: every risk's turn comes equally often, however
// many examples it has.
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "learn/importance_sampler.h"

namespace llmpatch {

// Examples stand in one list, a group of them after the other: `groups` are the groups' sizes. Of
// all draws counted from 0, number p is one of group p mod G, where G groups have any example: any
// run of n draws takes n / G of every group, and where G does not divide n, who gets one more goes
// round. Within a group every epoch is a new permutation (Order). One group is an Order.
class BalancedOrder {
 public:
  BalancedOrder(const std::vector<std::size_t>& groups, std::uint64_t seed);
  // Places, in the list of all examples, of draws [first, first + count). Empty when there is
  // nothing to draw from.
  std::vector<std::size_t> draws(std::uint64_t first, std::size_t count);

 private:
  struct Group {
    std::size_t first;  // place of its first example
    Order order;
  };
  std::vector<Group> groups_;
};

// The same with an ImportanceSampler in every group: examples are passed over, and weighted, among
// those of their own risk, so that a risk that is learned already does not give way to the others.
class BalancedSampler {
 public:
  // easy_rate in (0, 1].
  BalancedSampler(const std::vector<std::size_t>& groups, std::uint64_t seed, double easy_rate);

  // The `count` draws of step number `step`, where every step takes as many: numbers
  // step * count ... of BalancedOrder. Places are in the list of all examples. Which of a batch's
  // draws stands first goes round too. Empty when there is nothing to draw from.
  std::vector<ImportanceSampler::Draw> draw(std::int64_t step, std::size_t count);
  // As ImportanceSampler::found(), of a place in the list of all examples.
  void found(std::size_t place, double difficulty);

  // The groups' states one after the other; of one group its own. Restoring gives kCorrupt for what
  // does not fit; an undefined one is the beginning.
  torch::Tensor state() const;
  Status restore(const torch::Tensor& state);

 private:
  struct Group {
    std::size_t first, size;
    ImportanceSampler sampler;
  };
  std::vector<Group> groups_;
};

}  // namespace llmpatch
