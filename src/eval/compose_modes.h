// The ways to compose a list of patches that a composition study measures. Pure functions,
// thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "llmpatch/compose.h"

namespace llmpatch {

// One of them: which patches, in which order, and how.
struct ComposeMode {
  std::vector<std::size_t> patches;        // places in the list
  Compose compose = Compose::kSequential;  // of two or more

  bool is_alone() const { return patches.size() == 1; }
  bool operator==(const ComposeMode&) const = default;
};

// In which orders all of three patches or more stand in sequence: as given and reversed, or every
// one there is. A pair always stands in both.
enum class ComposeOrders { kTwo, kAll };
Result<ComposeOrders> parse_compose_orders(std::string_view name);  // "two" or "all"

// How many modes compose_modes() makes, without making them; at most SIZE_MAX.
std::size_t count_compose_modes(std::size_t patches, ComposeOrders orders);

// Every patch alone; every pair in both orders and in parallel; and, of three patches or more, all
// of them in sequence and in parallel. A parallel mode lists its patches in rising places: it has
// no order.
std::vector<ComposeMode> compose_modes(std::size_t patches, ComposeOrders orders);

// "a", "a, then b", "a beside b".
std::string mode_label(const ComposeMode& mode, std::span<const std::string> names);
// The same as a file's name: "a", "a-then-b", "a-beside-b".
std::string mode_slug(const ComposeMode& mode, std::span<const std::string> names);
// "alone", "sequential", "parallel".
std::string_view mode_kind(const ComposeMode& mode);

}  // namespace llmpatch
