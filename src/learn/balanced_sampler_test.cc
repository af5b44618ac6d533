#include "learn/balanced_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace llmpatch {
namespace {

// Three risks of very different size; and that of a place in the list of all.
const std::vector<std::size_t> kGroups{4, 30, 11};
std::size_t group_of(std::size_t place) { return place < 4 ? 0 : place < 34 ? 1 : 2; }

TEST(BalancedSampler, DrawsAsManyOfEveryGroupInEveryBatch) {
  BalancedSampler sampler(kGroups, 7, 1);
  for (int step = 0; step < 50; ++step) {
    std::vector<int> counts(3);
    for (const auto& draw : sampler.draw(step, 6)) {
      ++counts[group_of(draw.index)];
      EXPECT_EQ(draw.weight, 1);
    }
    EXPECT_EQ(counts, (std::vector<int>{2, 2, 2})) << step;
  }
}

TEST(BalancedSampler, RotatesWhoGetsOneMore) {
  for (const std::size_t batch : {1U, 2U, 4U, 5U, 8U}) {
    BalancedSampler sampler(kGroups, 7, 1);
    std::vector<int> all(3), more(3), first(3);
    const int steps = 3 * static_cast<int>(batch) * 4;
    for (int step = 0; step < steps; ++step) {
      const auto draws = sampler.draw(step, batch);
      ASSERT_EQ(draws.size(), batch);
      std::vector<int> counts(3);
      for (const auto& draw : draws) ++counts[group_of(draw.index)];
      const int fewest = static_cast<int>(batch / 3);
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_TRUE(counts[i] == fewest || counts[i] == fewest + 1);
        all[i] += counts[i];
        more[i] += counts[i] - fewest;
      }
      ++first[group_of(draws.front().index)];
    }
    const int each = steps * static_cast<int>(batch) / 3;
    EXPECT_EQ(all, std::vector<int>(3, each));
    EXPECT_EQ(more, std::vector<int>(3, steps * static_cast<int>(batch % 3) / 3));
    // Which risk a batch begins with goes round too: its first answer is learned whole.
    EXPECT_EQ(first, std::vector<int>(3, steps / 3)) << batch;
  }
}

TEST(BalancedSampler, VisitsEveryExampleOnceAnEpochOfItsGroup) {
  BalancedSampler sampler(kGroups, 3, 1);
  std::map<std::size_t, int> seen;
  for (int step = 0; step < 30; ++step) {  // 30 draws of each group: one epoch of the largest
    for (const auto& draw : sampler.draw(step, 3)) ++seen[draw.index];
  }
  ASSERT_EQ(seen.size(), 45U);
  for (const auto& [place, count] : seen) {
    const int epochs = 30 / static_cast<int>(kGroups[group_of(place)]);
    EXPECT_GE(count, epochs) << place;
    EXPECT_LE(count, epochs + 1) << place;
  }
  EXPECT_EQ(seen[10], 1);
}

TEST(BalancedSampler, OfOneGroupIsAnImportanceSampler) {
  BalancedSampler balanced({20}, 9, 0.25);
  ImportanceSampler alone(20, 9, 0.25);
  for (int step = 0; step < 40; ++step) {
    const auto expected = alone.draw(3);
    const auto found = balanced.draw(step, 3);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(found[i].index, expected[i].index);
      EXPECT_EQ(found[i].weight, expected[i].weight);
      const double difficulty = found[i].index % 4 == 0 ? 0.9 : 0.01;
      balanced.found(found[i].index, difficulty);
      alone.found(expected[i].index, difficulty);
    }
  }
  EXPECT_TRUE(torch::equal(balanced.state(), alone.state()));
}

// A risk that is learned already does not lose its place in the batches.
TEST(BalancedSampler, PassesOverTheEasyOnesOfAGroupWithinIt) {
  BalancedSampler sampler(kGroups, 5, 0.05);
  for (std::size_t place = 4; place < 34; ++place) sampler.found(place, place == 20 ? 1 : 0);
  std::map<std::size_t, int> seen;
  double weights = 0;
  for (int step = 0; step < 2000; ++step) {
    std::vector<int> counts(3);
    for (const auto& draw : sampler.draw(step, 6)) {
      ++counts[group_of(draw.index)];
      ++seen[draw.index];
      if (group_of(draw.index) == 1) weights += draw.weight;
    }
    ASSERT_EQ(counts, (std::vector<int>{2, 2, 2}));
  }
  // Of 30 walked through the hard one and 29 x .05 others are taken.
  EXPECT_NEAR(seen[20] / 4000.0, 1 / 2.45, 0.04);
  // The mean over the group is kept, as well as a running mean of two draws a step can.
  EXPECT_NEAR(weights / 4000, 1, 0.15);
}

TEST(BalancedSampler, GoesOnFromItsState) {
  const auto knowing = [] {
    BalancedSampler sampler(kGroups, 9, 0.2);
    for (std::size_t i = 0; i < 45; ++i) sampler.found(i, 0.005 * static_cast<double>(i));
    return sampler;
  };
  BalancedSampler whole = knowing(), stopped = knowing(), resumed(kGroups, 9, 0.2);
  for (int step = 0; step < 13; ++step) {
    (void)whole.draw(step, 4);
    (void)stopped.draw(step, 4);
  }
  ASSERT_TRUE(resumed.restore(stopped.state()).ok());
  for (int step = 13; step < 40; ++step) {
    const auto expected = whole.draw(step, 4), found = resumed.draw(step, 4);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(found[i].index, expected[i].index);
      EXPECT_EQ(found[i].weight, expected[i].weight);
    }
  }
}

TEST(BalancedSampler, RefusesAStateOfOtherData) {
  BalancedSampler sampler(kGroups, 9, 0.2);
  EXPECT_TRUE(sampler.restore(torch::Tensor()).ok());
  const std::int64_t fits = sampler.state().size(0);
  EXPECT_EQ(fits, 45 + 3 * 2);
  for (const torch::Tensor& state :
       {torch::ones({fits - 1}, torch::kDouble), torch::ones({fits + 1}, torch::kDouble),
        torch::ones({3}, torch::kDouble), torch::ones({fits}), torch::empty({0}, torch::kDouble),
        torch::ones({fits, 1}, torch::kDouble)}) {
    const Status restored = BalancedSampler(kGroups, 9, 0.2).restore(state);
    ASSERT_FALSE(restored.ok());
    EXPECT_EQ(restored.error().kind, ErrorKind::kCorrupt);
  }
}

TEST(BalancedSampler, LeavesOutGroupsWithoutExamples) {
  BalancedSampler sampler({0, 5, 0, 3}, 1, 1);
  int of_last = 0;
  for (int step = 0; step < 10; ++step) {
    for (const auto& draw : sampler.draw(step, 2)) of_last += draw.index >= 5 ? 1 : 0;
  }
  EXPECT_EQ(of_last, 10);
  EXPECT_TRUE(BalancedSampler({0, 0}, 1, 1).draw(0, 3).empty());
  EXPECT_TRUE(BalancedOrder({0}, 1).draws(0, 3).empty());
}

TEST(BalancedOrder, DrawsWhatTheSamplerDrawsWhereNothingIsPassedOver) {
  BalancedSampler sampler(kGroups, 4, 1);
  std::set<std::size_t> sampled;
  for (int step = 0; step < 7; ++step) {
    for (const auto& draw : sampler.draw(step, 5)) sampled.insert(draw.index);
  }
  const auto ordered = BalancedOrder(kGroups, 4).draws(0, 35);
  EXPECT_EQ(std::set<std::size_t>(ordered.begin(), ordered.end()), sampled);
  EXPECT_EQ(BalancedOrder({12}, 4).draws(3, 20), Order(12, 4).draws(3, 20));
}

}  // namespace
}  // namespace llmpatch
