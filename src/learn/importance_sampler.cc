#include "learn/importance_sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "runtime/random.h"

namespace llmpatch {
namespace {

constexpr double kHard = 0.2;       // difficulty from which on an example is always taken
constexpr double kUnknown = 1;      // of an example not learned from yet
constexpr double kMeanDecay = 0.9;  // per draw of a step

}  // namespace

void Order::shuffle(std::uint64_t epoch) {
  permutation_.resize(size_);
  std::iota(permutation_.begin(), permutation_.end(), std::size_t{0});
  std::seed_seq mix{seed_ & 0xffffffff, seed_ >> 32, epoch & 0xffffffff, epoch >> 32};
  std::mt19937_64 random(mix);
  // Fisher-Yates by hand: std::shuffle may differ between standard libraries.
  for (std::size_t i = size_; i > 1; --i)
    std::swap(permutation_[i - 1], permutation_[random() % i]);
  epoch_ = epoch;
}

std::size_t Order::at(std::uint64_t draw) {
  if (draw / size_ != epoch_) shuffle(draw / size_);
  return permutation_[draw % size_];
}

std::vector<std::size_t> Order::draws(std::uint64_t first, std::size_t count) {
  std::vector<std::size_t> indices;
  if (size_ == 0) return indices;
  for (std::uint64_t draw = first; draw < first + count; ++draw) indices.push_back(at(draw));
  return indices;
}

ImportanceSampler::ImportanceSampler(std::size_t size, std::uint64_t seed, double easy_rate)
    : order_(size, seed), seed_(seed), easy_rate_(easy_rate), difficulties_(size, kUnknown) {}

double ImportanceSampler::take_rate(std::size_t index) const {
  return std::min(1.0, std::max(easy_rate_, difficulties_[index] / kHard));
}

std::vector<ImportanceSampler::Draw> ImportanceSampler::draw(std::size_t count) {
  std::vector<Draw> taken;
  if (difficulties_.empty() || count == 0) return taken;
  const std::uint64_t before = position_;
  while (taken.size() < count) {
    const std::size_t index = order_.at(position_);
    const double rate = take_rate(index);
    const auto bits = philox4x32(
        {static_cast<std::uint32_t>(position_), static_cast<std::uint32_t>(position_ >> 32), 0, 0},
        {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
    ++position_;
    if (bits[0] * 0x1.0p-32 < rate) taken.push_back({index, 1 / rate});
  }
  const double here = static_cast<double>(position_ - before) / static_cast<double>(count);
  passed_ += (1 - kMeanDecay) * (here - passed_);
  for (Draw& draw : taken) draw.weight /= passed_;
  return taken;
}

void ImportanceSampler::found(std::size_t index, double difficulty) {
  difficulties_.at(index) = difficulty;
}

torch::Tensor ImportanceSampler::state() const {
  std::vector<double> values{static_cast<double>(position_), passed_};
  values.insert(values.end(), difficulties_.begin(), difficulties_.end());
  return torch::tensor(values, torch::kDouble);
}

Status ImportanceSampler::restore(const torch::Tensor& state) {
  if (!state.defined()) return {};
  const auto size = static_cast<std::int64_t>(difficulties_.size());
  bool good = state.scalar_type() == torch::kDouble && state.dim() == 1 &&
              state.size(0) == size + 2 && torch::isfinite(state).all().item<bool>();
  good = good && state[0].item<double>() >= 0 && state[0].item<double>() < 0x1.0p53 &&
         state[1].item<double>() > 0;
  if (!good) {
    return make_error(ErrorKind::kCorrupt, "learn",
                      "checkpoint: found no record of drawn examples that fits the data",
                      "remove it to learn this stage again from its beginning");
  }
  const auto values = state.accessor<double, 1>();
  position_ = static_cast<std::uint64_t>(values[0]);
  passed_ = values[1];
  for (std::int64_t i = 0; i < size; ++i)
    difficulties_[static_cast<std::size_t>(i)] = values[i + 2];
  return {};
}

}  // namespace llmpatch
