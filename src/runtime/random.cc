#include "runtime/random.h"

#include <string>

#include "base/sha256.h"

namespace llmpatch {

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
    const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
    counter = {high(b) ^ counter[1] ^ key[0], low(b), high(a) ^ counter[3] ^ key[1], low(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

std::string random_key(std::span<const std::int32_t> tokens) {
  std::string text;
  for (const std::int32_t token : tokens) text += std::to_string(token) + ",";
  return text;
}

AnswerRandom::AnswerRandom(std::uint64_t seed, std::string_view key, std::uint32_t sample)
    : sample_(sample) {
  const std::string digest = sha256_hex(std::to_string(seed) + ":" + std::string(key));
  const auto word = [&](std::size_t i) {
    return static_cast<std::uint32_t>(std::stoul(digest.substr(i * 8, 8), nullptr, 16));
  };
  key_ = {word(0), word(1)};
  salt_ = {word(2), word(3)};
}

double AnswerRandom::uniform(std::uint32_t position) const {
  const auto bits = philox4x32({position, sample_, salt_[0], salt_[1]}, key_);
  const std::uint64_t wide = (std::uint64_t{bits[0]} << 32) | bits[1];
  return static_cast<double>(wide >> 11) * 0x1.0p-53;
}

}  // namespace llmpatch
