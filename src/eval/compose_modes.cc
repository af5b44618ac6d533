#include "eval/compose_modes.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace llmpatch {
namespace {

std::string joined(const ComposeMode& mode, std::span<const std::string> names,
                   const char* sequential, const char* parallel) {
  std::string text;
  for (const std::size_t patch : mode.patches) {
    if (!text.empty()) text += mode.compose == Compose::kParallel ? parallel : sequential;
    text += names[patch];
  }
  return text;
}

std::size_t times(std::size_t a, std::size_t b) {
  return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

std::size_t plus(std::size_t a, std::size_t b) { return a > SIZE_MAX - b ? SIZE_MAX : a + b; }

}  // namespace

Result<ComposeOrders> parse_compose_orders(std::string_view name) {
  if (name == "two") return ComposeOrders::kTwo;
  if (name == "all") return ComposeOrders::kAll;
  return make_error(ErrorKind::kInvalidArgument, "compose",
                    "orders: found '" + std::string(name) + "', expected two or all");
}

std::size_t count_compose_modes(std::size_t patches, ComposeOrders orders) {
  if (patches < 2) return patches;
  const std::size_t pairs = times(patches, patches - 1) / 2;
  const std::size_t count = plus(patches, times(3, pairs));
  if (patches == 2) return count;
  std::size_t sequences = 2;
  if (orders == ComposeOrders::kAll) {
    for (std::size_t i = 3; i <= patches; ++i) sequences = times(sequences, i);
  }
  return plus(plus(count, sequences), 1);
}

std::vector<ComposeMode> compose_modes(std::size_t patches, ComposeOrders orders) {
  std::vector<ComposeMode> modes;
  for (std::size_t i = 0; i < patches; ++i) modes.push_back({{i}, Compose::kSequential});
  for (std::size_t i = 0; i < patches; ++i) {
    for (std::size_t j = i + 1; j < patches; ++j) {
      modes.push_back({{i, j}, Compose::kSequential});
      modes.push_back({{j, i}, Compose::kSequential});
      modes.push_back({{i, j}, Compose::kParallel});
    }
  }
  if (patches < 3) return modes;
  std::vector<std::size_t> all(patches);
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (orders == ComposeOrders::kTwo) {
    modes.push_back({all, Compose::kSequential});
    modes.push_back({{all.rbegin(), all.rend()}, Compose::kSequential});
  } else {
    std::vector<std::size_t> order = all;
    do {
      modes.push_back({order, Compose::kSequential});
    } while (std::ranges::next_permutation(order).found);
  }
  modes.push_back({all, Compose::kParallel});
  return modes;
}

std::string mode_label(const ComposeMode& mode, std::span<const std::string> names) {
  return joined(mode, names, ", then ", " beside ");
}

std::string mode_slug(const ComposeMode& mode, std::span<const std::string> names) {
  return joined(mode, names, "-then-", "-beside-");
}

std::string_view mode_kind(const ComposeMode& mode) {
  if (mode.is_alone()) return "alone";
  return mode.compose == Compose::kParallel ? "parallel" : "sequential";
}

}  // namespace llmpatch
