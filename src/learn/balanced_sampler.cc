#include "learn/balanced_sampler.h"

#include <algorithm>

namespace llmpatch {
namespace {

// Of a group's order; the first one's is that of an undivided list.
std::uint64_t seed_of(std::uint64_t seed, std::size_t group) {
  return seed + 0x9e3779b97f4a7c15U * group;
}

}  // namespace

BalancedOrder::BalancedOrder(const std::vector<std::size_t>& groups, std::uint64_t seed) {
  std::size_t first = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i] > 0) groups_.push_back({first, Order(groups[i], seed_of(seed, i))});
    first += groups[i];
  }
}

std::vector<std::size_t> BalancedOrder::draws(std::uint64_t first, std::size_t count) {
  std::vector<std::size_t> places;
  if (groups_.empty()) return places;
  for (std::uint64_t draw = first; draw < first + count; ++draw) {
    Group& group = groups_[draw % groups_.size()];
    places.push_back(group.first + group.order.at(draw / groups_.size()));
  }
  return places;
}

BalancedSampler::BalancedSampler(const std::vector<std::size_t>& groups, std::uint64_t seed,
                                 double easy_rate) {
  std::size_t first = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i] > 0) {
      groups_.push_back(
          {first, groups[i], ImportanceSampler(groups[i], seed_of(seed, i), easy_rate)});
    }
    first += groups[i];
  }
}

std::vector<ImportanceSampler::Draw> BalancedSampler::draw(std::int64_t step, std::size_t count) {
  std::vector<ImportanceSampler::Draw> draws;
  if (groups_.empty() || count == 0) return draws;
  const auto at = static_cast<std::uint64_t>(step);
  std::vector<std::size_t> turns;  // the group of each draw
  std::vector<std::size_t> counts(groups_.size());
  for (std::size_t i = 0; i < count; ++i) {
    turns.push_back((at * count + (at + i) % count) % groups_.size());
    ++counts[turns.back()];
  }
  std::vector<std::vector<ImportanceSampler::Draw>> of_groups;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    of_groups.push_back(groups_[i].sampler.draw(counts[i]));
  }
  std::vector<std::size_t> next(groups_.size());
  for (const std::size_t group : turns) {
    ImportanceSampler::Draw draw = of_groups[group][next[group]++];
    draw.index += groups_[group].first;
    draws.push_back(draw);
  }
  return draws;
}

void BalancedSampler::found(std::size_t place, double difficulty) {
  const auto after = std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) {
    return place < group.first + group.size;
  });
  after->sampler.found(place - after->first, difficulty);
}

torch::Tensor BalancedSampler::state() const {
  if (groups_.empty()) return {};
  std::vector<torch::Tensor> states;
  for (const Group& group : groups_) states.push_back(group.sampler.state());
  return torch::cat(states);
}

Status BalancedSampler::restore(const torch::Tensor& state) {
  if (!state.defined()) return {};
  std::int64_t first = 0;
  const std::int64_t numbers = state.dim() == 1 ? state.size(0) : 0;
  for (Group& group : groups_) {
    const std::int64_t wanted = group.sampler.state().size(0);
    // The last group is given all that is left, and says so if that is not its own.
    const std::int64_t given =
        &group == &groups_.back() ? numbers - first : std::min(wanted, numbers - first);
    LLMPATCH_TRY(group.sampler.restore(numbers > 0 ? state.narrow(0, first, given) : state));
    first += given;
  }
  return {};
}

}  // namespace llmpatch
