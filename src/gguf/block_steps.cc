#include "gguf/block_steps.h"

#include <ggml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace llmpatch {
namespace {

enum class Scale {
  kValue,      // floating point: the step grows with the value itself
  kMagnitude,  // levels on both sides of zero: step = largest magnitude * share
  kRange,      // levels from a minimum, at most zero, to a maximum: step = range * share
};

constexpr std::size_t kSuperBlock = 256;

struct BlockType {
  ggml_type type;
  Scale scale;
  std::size_t block;  // values that share their levels, up to the scale's own rounding
  float share;
};

// Super-block types (K, IQ4_XS) are taken as one block of 256: the sub-blocks' scales are rounded
// against the largest of them.
constexpr std::array kBlockTypes = {
    BlockType{GGML_TYPE_F32, Scale::kValue, 1, 0x1p-20f},
    BlockType{GGML_TYPE_F16, Scale::kValue, 1, 0x1p-10f},
    BlockType{GGML_TYPE_BF16, Scale::kValue, 1, 0x1p-7f},
    BlockType{GGML_TYPE_Q4_0, Scale::kMagnitude, 32, 1.f / 8},
    BlockType{GGML_TYPE_Q4_1, Scale::kRange, 32, 1.f / 15},
    BlockType{GGML_TYPE_Q5_0, Scale::kMagnitude, 32, 1.f / 16},
    BlockType{GGML_TYPE_Q5_1, Scale::kRange, 32, 1.f / 31},
    BlockType{GGML_TYPE_Q8_0, Scale::kMagnitude, 32, 1.f / 127},
    BlockType{GGML_TYPE_Q2_K, Scale::kRange, kSuperBlock, 1.f / 3},
    BlockType{GGML_TYPE_Q3_K, Scale::kMagnitude, kSuperBlock, 1.f / 4},
    BlockType{GGML_TYPE_Q4_K, Scale::kRange, kSuperBlock, 1.f / 15},
    BlockType{GGML_TYPE_Q5_K, Scale::kRange, kSuperBlock, 1.f / 31},
    BlockType{GGML_TYPE_Q6_K, Scale::kMagnitude, kSuperBlock, 1.f / 32},
    BlockType{GGML_TYPE_IQ4_NL, Scale::kMagnitude, 32, 24.f / 113},  // its widest gap
    BlockType{GGML_TYPE_IQ4_XS, Scale::kMagnitude, kSuperBlock, 24.f / 113},
};
constexpr BlockType kCoarseType = {GGML_TYPE_COUNT, Scale::kMagnitude, kSuperBlock, 1.f / 2};

const BlockType* find_type(int type) {
  const auto* found = std::find_if(kBlockTypes.begin(), kBlockTypes.end(),
                                   [type](const BlockType& known) { return known.type == type; });
  return found == kBlockTypes.end() ? nullptr : found;
}

float block_step(const BlockType& type, std::span<const float> block) {
  float low = 0, high = 0;
  for (const float value : block) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  return (type.scale == Scale::kRange ? high - low : std::max(high, -low)) * type.share;
}

}  // namespace

bool can_requantise(int type) { return find_type(type) != nullptr; }

bool searches_scale(int type) {
  const BlockType* known = find_type(type);
  return known != nullptr && (known->block == kSuperBlock || type == GGML_TYPE_IQ4_NL);
}

std::vector<float> block_steps(int type, std::span<const float> values) {
  const BlockType* known = find_type(type);
  const BlockType& rule = known != nullptr ? *known : kCoarseType;
  std::vector<float> steps(values.size());
  for (std::size_t start = 0; start < values.size(); start += rule.block) {
    const std::span<const float> block =
        values.subspan(start, std::min(rule.block, values.size() - start));
    const float shared = rule.scale == Scale::kValue ? 0 : block_step(rule, block);
    for (std::size_t i = 0; i < block.size(); ++i) {
      const float own = rule.scale == Scale::kValue ? std::abs(block[i]) * rule.share : shared;
      steps[start + i] = std::max(own, 0x1p-24f);  // the spacing of F16 near zero
    }
  }
  return steps;
}

Result<std::vector<float>> requantise(int type, std::span<const float> values) {
  const auto kind = static_cast<ggml_type>(type);
  if (!can_requantise(type) ||
      values.size() % static_cast<std::size_t>(ggml_blck_size(kind)) != 0) {
    return make_error(ErrorKind::kInvalidArgument, "gguf",
                      "requantise: found " + std::to_string(values.size()) +
                          " values for tensor type " + std::to_string(type) +
                          ", expected whole blocks of a type that can be reproduced");
  }
  std::vector<float> out(values.begin(), values.end());
  if (type == GGML_TYPE_F32 || values.empty()) return out;
  const auto count = static_cast<std::int64_t>(values.size());
  std::vector<std::byte> packed(ggml_row_size(kind, count));
  ggml_quantize_chunk(kind, values.data(), packed.data(), 0, 1, count, nullptr);
  ggml_get_type_traits(kind)->to_float(packed.data(), out.data(), count);
  return out;
}

}  // namespace llmpatch
