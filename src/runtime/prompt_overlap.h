// Finds prompts that two sets share, so that nothing is measured on what was learned from.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/prompt.h"

namespace llmpatch {

// Two prompts overlap when their normalised texts (ASCII lower case, letters, digits and characters
// outside ASCII only) are equal, or when the Jaccard index of their word sets without stop words
// reaches this value, with at least kOverlapWords such words on each side.
inline constexpr double kOverlapJaccard = 0.6;
inline constexpr std::size_t kOverlapWords = 3;

// Positions of an overlapping pair.
struct PromptOverlap {
  std::size_t first = 0;   // into the first set
  std::size_t second = 0;  // into the second set

  bool operator==(const PromptOverlap&) const = default;
};

// Every overlapping pair of Prompt::text(), ordered by (first, second). Compares all pairs: time
// grows with the product of the sizes, 10^8 pairs take seconds. Thread-safe.
std::vector<PromptOverlap> find_overlaps(std::span<const Prompt> first,
                                         std::span<const Prompt> second);

// A named set of prompts, for messages.
struct PromptSet {
  std::string_view name;  // of its file
  std::span<const Prompt> prompts;
};

// kInvalidArgument when the sets overlap: names both files and lines of the first pair, and how
// many pairs there are. The texts themselves are not shown.
Status check_no_overlap(const PromptSet& learned, const PromptSet& tested);

}  // namespace llmpatch
