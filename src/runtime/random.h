// Counter-based random numbers: each is a function of its key and counter, so that no draw depends
// on how many others were made before.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace llmpatch {

// Philox4x32-10 (Salmon et al., 2011): 128 random bits of a 128-bit counter under a 64-bit key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// The key of an answer to these tokens, where the request names none.
std::string random_key(std::span<const std::int32_t> tokens);

// The stream of one answer.
class AnswerRandom {
 public:
  AnswerRandom(std::uint64_t seed, std::string_view key, std::uint32_t sample);
  // Uniform in [0, 1), for the token at `position` of the answer.
  double uniform(std::uint32_t position) const;

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 2> salt_;
  std::uint32_t sample_;
};

}  // namespace llmpatch
