#include "runtime/prompt_cache.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace llmpatch {
namespace {

class PromptCacheTest : public ::testing::Test {
 protected:
  CachedSequence sequence(std::int32_t id, Tokens tokens, const Stack& stack = {},
                          const std::string& tenant = "") {
    return {id, table_.stack(stack).value(), tenant, std::move(tokens), {}, {}};
  }
  // The id of what is found, or -1.
  std::int32_t find(const Tokens& prompt, const Stack& stack = {}, const char* tenant = "") {
    const CachedSequence* found = cache_.find(table_.stack(stack).value()->ids, tenant, prompt);
    return found == nullptr ? -1 : found->id;
  }
  std::vector<std::int32_t> keep(CachedSequence kept) {
    std::vector<std::int32_t> ids;
    for (const CachedSequence& out : cache_.keep(std::move(kept))) ids.push_back(out.id);
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  PrefixTable table_;
  const PrefixId a_ = table_.add({1, 1, {0.5f}}), b_ = table_.add({1, 1, {0.25f}});
  PromptCache cache_{3};
};

using Ids = std::vector<std::int32_t>;

TEST_F(PromptCacheTest, FindsTheLongestCommonBeginning) {
  keep(sequence(1, {5, 6, 7}));
  keep(sequence(2, {5, 6, 8, 9}));
  EXPECT_EQ(find({5, 6, 8}), 2);
  EXPECT_EQ(find({5, 6, 7, 1}), 1);
  EXPECT_EQ(find({6, 5}), -1);
}

TEST_F(PromptCacheTest, NeverFindsAPromptBehindAnotherStack) {
  keep(sequence(1, {5, 6}, {{a_}}));
  keep(sequence(2, {5, 6}, {{a_, b_}}));
  keep(sequence(3, {5, 6}, {{a_, b_}, Compose::kParallel}));
  EXPECT_EQ(find({5, 6, 7}), -1);
  EXPECT_EQ(find({5, 6, 7}, {{b_}}), -1);
  EXPECT_EQ(find({5, 6, 7}, {{b_, a_}}), -1);
  EXPECT_EQ(find({5, 6, 7}, {{a_}}), 1);
  EXPECT_EQ(find({5, 6, 7}, {{a_, b_}}), 2);
  EXPECT_EQ(find({5, 6, 7}, {{b_, a_}, Compose::kParallel}), 3);
}

TEST_F(PromptCacheTest, NeverFindsAPromptOfAnotherTenant) {
  keep(sequence(1, {5, 6}, {}, "a"));
  EXPECT_EQ(find({5, 6, 7}, {}, "b"), -1);
  EXPECT_EQ(find({5, 6, 7}), -1);
  EXPECT_EQ(find({5, 6, 7}, {}, "a"), 1);
  EXPECT_EQ(keep(sequence(2, {5, 6, 7}, {}, "b")), Ids{});
  EXPECT_EQ(find({5, 6, 7}, {}, "a"), 1);
  EXPECT_EQ(find({5, 6, 7}, {}, "b"), 2);
}

TEST_F(PromptCacheTest, EvictsTheOneUnusedForLongest) {
  keep(sequence(1, {1, 1}));
  keep(sequence(2, {2, 2}));
  keep(sequence(3, {3, 3}));
  EXPECT_EQ(find({1}), 1);
  EXPECT_EQ(keep(sequence(4, {4, 4})), Ids{2});
  EXPECT_EQ(cache_.evict()->id, 3);
  EXPECT_EQ(cache_.evict()->id, 1);
  EXPECT_EQ(cache_.evict()->id, 4);
  EXPECT_FALSE(cache_.evict().has_value());
}

TEST_F(PromptCacheTest, KeepsOneOfTwoThatBeginAlike) {
  keep(sequence(1, {1, 2}));
  keep(sequence(2, {1, 3}));
  EXPECT_EQ(keep(sequence(3, {1, 2, 3})), Ids{1});
  EXPECT_EQ(keep(sequence(4, {1, 2, 3})), Ids{4});
  EXPECT_EQ(keep(sequence(5, {1, 2})), Ids{5});
  EXPECT_EQ(keep(sequence(6, {1, 2, 3}, {{a_}})), Ids{});
  EXPECT_EQ(cache_.size(), 3u);
}

TEST_F(PromptCacheTest, KeepsNothingWithALimitOfZero) {
  PromptCache none(0);
  EXPECT_EQ(none.keep(sequence(1, {1, 2})).size(), 1u);
  EXPECT_EQ(none.size(), 0u);
}

TEST_F(PromptCacheTest, GivesUpWhatIsBehindARetiredPrefix) {
  keep(sequence(1, {1}));
  keep(sequence(2, {1}, {{a_, b_}}));
  keep(sequence(3, {1}, {{b_}}));
  ASSERT_TRUE(table_.retire(a_).ok());
  const auto out = cache_.take_retired();
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].id, 2);
  EXPECT_EQ(find({1}, {{b_}}), 3);
  EXPECT_EQ(find({1}), 1);
}

}  // namespace
}  // namespace llmpatch
