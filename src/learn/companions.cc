#include "learn/companions.h"

#include "runtime/random.h"

namespace llmpatch {
namespace {

// Tells these random numbers from others of the same seed.
constexpr std::uint32_t kStream = 0x636f6d70;

// Random words of one step: number `index` of them, uniform over 32 bits.
std::uint32_t random_word(std::uint64_t seed, std::int64_t step, std::uint32_t index) {
  const auto at = static_cast<std::uint64_t>(step);
  const auto block = philox4x32(
      {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at >> 32), index / 4, kStream},
      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return block[index % 4];
}

// Uniform over 0 .. count-1.
std::int64_t pick(std::uint32_t word, std::int64_t count) {
  return static_cast<std::int64_t>((std::uint64_t{word} * static_cast<std::uint64_t>(count)) >> 32);
}

}  // namespace

torch::Tensor Companions::draw(const Transformer& model, std::uint64_t seed,
                               std::int64_t step) const {
  if (none() || random_word(seed, step, 0) * 0x1.0p-32 >= rate_) return {};
  const auto given = static_cast<std::int64_t>(prefixes_.size());
  const std::int64_t chosen = pick(random_word(seed, step, 1), given + (random_rows_ > 0 ? 1 : 0));
  if (chosen < given) return prefixes_[static_cast<std::size_t>(chosen)];
  std::vector<std::int64_t> tokens;
  for (std::int64_t i = 0; i < random_rows_; ++i) {
    const std::uint32_t word = random_word(seed, step, static_cast<std::uint32_t>(2 + i));
    tokens.push_back(pick(word, model.shape().vocabulary));
  }
  torch::NoGradGuard frozen;
  return model.embed(torch::tensor(tokens, torch::kLong));
}

}  // namespace llmpatch
