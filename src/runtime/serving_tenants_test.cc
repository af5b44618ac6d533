// What the tenants of a serving loop have from each other: turns, shares, and nothing of their
// prompts.
#include <deque>

#include "runtime/test_serving_loop.h"

namespace llmpatch {
namespace {

template <class Layout>
class Tenants : public Layout {
 protected:
  RequestId add(const char* tenant, Tokens prompt, int max_tokens) {
    ServingRequest made = this->request(std::move(prompt), max_tokens);
    made.tenant = tenant;
    return Layout::add(std::move(made));
  }
  // Without a length: what the context leaves, 256 tokens in all.
  RequestId add_whole(const char* tenant) { return add(tenant, letters(10), 0); }
  bool has_begun(RequestId id) { return !this->heard_[id].tokens.empty(); }
};

class TenantsTest : public Tenants<ServingLoopTest> {};
INSTANTIATE_TEST_SUITE_P(Layouts, TenantsTest, ::testing::Bool(),
                         [](const auto& layout) { return layout.param ? "Split" : "Unified"; });

class UnifiedTenantsTest : public Tenants<UnifiedServingLoopTest> {};

TEST_P(TenantsTest, AdmitsTenantsInTurn) {
  start(1);
  const auto of = [&](const char* tenant) { return add(tenant, letters(4), 2); };
  const RequestId a1 = of("a"), a2 = of("a"), a3 = of("a"), b1 = of("b"), c1 = of("c"),
                  b2 = of("b");
  run();
  EXPECT_EQ(order_, (std::vector<RequestId>{a1, b1, c1, a2, b2, a3}));
}

TEST_P(TenantsTest, OneLeavesPlacesForOthers) {
  start(4);
  for (int i = 0; i < 6; ++i) add("a", letters(4), 60);
  loop_->step();
  EXPECT_EQ(loop_->stats().running, 3);
  const RequestId other = add("b", letters(4), 60);
  loop_->step();
  EXPECT_TRUE(has_begun(other));
  EXPECT_EQ(loop_->stats().running, 4);
}

TEST_P(TenantsTest, TheOneWithoutANameTakesAllPlaces) {
  start(4);
  for (int i = 0; i < 6; ++i) add("", letters(4), 60);
  loop_->step();
  EXPECT_EQ(loop_->stats().running, 4);
}

TEST_F(UnifiedTenantsTest, AShortRequestDoesNotWaitForAnothersWholeContexts) {
  start();
  std::vector<RequestId> whole;
  for (int i = 0; i < 4; ++i) whole.push_back(add_whole("a"));
  loop_->step();
  // Two would fill the cache, of which one may hold three quarters.
  EXPECT_EQ(loop_->stats().running, 1);
  const RequestId other = add("b", letters(20, 3), 5);
  for (int i = 0; i < 5 + 2; ++i) loop_->step();
  EXPECT_EQ(end(other), ServingEnd::kLength);
  EXPECT_FALSE(heard_[whole.front()].result.has_value());
  run();
  for (const RequestId id : whole) EXPECT_EQ(heard_[id].tokens.size(), 246u);
}

// b always has requests waiting, and holds what it may.
TEST_F(UnifiedTenantsTest, ALargeRequestIsNotStarvedByShortOnes) {
  start(8);
  std::deque<RequestId> stream;
  std::size_t n = 0;
  const auto refill = [&] {
    std::erase_if(stream, [&](RequestId id) { return heard_[id].result.has_value(); });
    for (; stream.size() < 10; ++n) {
      stream.push_back(add("b", letters(30, n), 30 + static_cast<int>(n % 7)));
    }
  };
  refill();
  for (int i = 0; i < 10; ++i) loop_->step();
  EXPECT_EQ(loop_->stats().running, 6);  // about 60 cells each, three quarters of 512
  const RequestId large = add_whole("a");
  const std::size_t before = order_.size();
  std::size_t steps = 0;
  for (; steps < 2000 && !has_begun(large); ++steps) {
    refill();
    loop_->step();
  }
  EXPECT_TRUE(has_begun(large));
  // 16 past it, and those that ran.
  EXPECT_LE(order_.size() - before, 16u + 8u);
  run();
  EXPECT_EQ(end(large), ServingEnd::kLength);
}

TEST_P(TenantsTest, SeeNothingOfEachOthersPrompts) {
  start();
  const Tokens prompt = letters(60);
  const RequestId first = add("a", prompt, 5);
  run();
  const RequestId of_b = add("b", prompt, 5);
  run();
  const RequestId of_nobody = add("", prompt, 5);
  run();
  EXPECT_EQ(cached(of_b), 0);
  EXPECT_EQ(cached(of_nobody), 0);
  for (const char* tenant : {"a", "b", ""}) {
    const RequestId again = add(tenant, prompt, 5);
    run();
    EXPECT_EQ(cached(again), 59) << tenant;
    EXPECT_EQ(heard_[again].text, heard_[first].text);
  }
}

TEST_P(TenantsTest, SeeNothingOfEachOthersPromptsWhileTheyRun) {
  start();
  const Tokens prompt = letters(60);
  const RequestId a = add("a", prompt, 40), b = add("b", prompt, 40);
  for (int i = 0; i < 10; ++i) loop_->step();
  const RequestId again = add("b", prompt, 5), late = add("c", prompt, 5);
  run();
  EXPECT_EQ(cached(a), 0);
  EXPECT_EQ(cached(b), 0);
  EXPECT_EQ(cached(again), 59);
  EXPECT_EQ(cached(late), 0);
  EXPECT_EQ(heard_[b].text, heard_[a].text);
}

}  // namespace
}  // namespace llmpatch
