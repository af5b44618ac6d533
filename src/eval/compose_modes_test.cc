#include "eval/compose_modes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>

namespace llmpatch {
namespace {

const std::vector<std::string> kNames{"a", "b", "c"};

std::vector<std::string> labels(std::size_t patches, ComposeOrders orders) {
  std::vector<std::string> all;
  for (const auto& mode : compose_modes(patches, orders)) all.push_back(mode_label(mode, kNames));
  return all;
}

using Labels = std::vector<std::string>;

TEST(ComposeModes, OfTwoPatchesAreAloneBothOrdersAndParallel) {
  const Labels expected{"a", "b", "a, then b", "b, then a", "a beside b"};
  EXPECT_EQ(labels(2, ComposeOrders::kTwo), expected);
  EXPECT_EQ(labels(2, ComposeOrders::kAll), expected);
}

TEST(ComposeModes, OfThreePatchesHaveEveryPairAndAllOfThem) {
  const Labels pairs{"a",          "b",          "c",         "a, then b",
                     "b, then a",  "a beside b", "a, then c", "c, then a",
                     "a beside c", "b, then c",  "c, then b", "b beside c"};
  Labels two = pairs;
  two.insert(two.end(), {"a, then b, then c", "c, then b, then a", "a beside b beside c"});
  EXPECT_EQ(labels(3, ComposeOrders::kTwo), two);
  Labels all = pairs;
  all.insert(all.end(),
             {"a, then b, then c", "a, then c, then b", "b, then a, then c", "b, then c, then a",
              "c, then a, then b", "c, then b, then a", "a beside b beside c"});
  EXPECT_EQ(labels(3, ComposeOrders::kAll), all);
}

TEST(ComposeModes, AreCountedWithoutBeingMade) {
  for (std::size_t patches = 0; patches <= 6; ++patches) {
    for (const auto orders : {ComposeOrders::kTwo, ComposeOrders::kAll}) {
      EXPECT_EQ(count_compose_modes(patches, orders), compose_modes(patches, orders).size())
          << patches;
    }
  }
  EXPECT_EQ(count_compose_modes(100, ComposeOrders::kAll), SIZE_MAX);  // 100! has 158 digits
  EXPECT_EQ(count_compose_modes(SIZE_MAX, ComposeOrders::kTwo), SIZE_MAX);
}

TEST(ComposeModes, AreAllDifferentAsFiles) {
  std::set<std::string> slugs;
  const auto modes = compose_modes(3, ComposeOrders::kAll);
  for (const auto& mode : modes) slugs.insert(mode_slug(mode, kNames));
  EXPECT_EQ(slugs.size(), modes.size());
  EXPECT_EQ(mode_slug({{1, 0}, Compose::kSequential}, kNames), "b-then-a");
  EXPECT_EQ(mode_slug({{0, 2}, Compose::kParallel}, kNames), "a-beside-c");
}

TEST(ComposeModes, SayWhatTheyAre) {
  EXPECT_EQ(mode_kind({{1}, Compose::kSequential}), "alone");
  EXPECT_EQ(mode_kind({{1, 0}, Compose::kSequential}), "sequential");
  EXPECT_EQ(mode_kind({{0, 1}, Compose::kParallel}), "parallel");
}

TEST(ComposeOrders, HasTwoNames) {
  EXPECT_EQ(*parse_compose_orders("two"), ComposeOrders::kTwo);
  EXPECT_EQ(*parse_compose_orders("all"), ComposeOrders::kAll);
  const auto bad = parse_compose_orders("some");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace llmpatch
