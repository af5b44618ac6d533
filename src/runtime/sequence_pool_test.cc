#include "runtime/sequence_pool.h"

#include "runtime/test_models.h"

namespace llmpatch {
namespace {

class SequencePoolTest : public ::testing::Test {
 protected:
  SequencePoolTest() {
    ContextOptions options;
    options.exact = true;
    options.cells = 256;
    options.sequences = 4 + 3 + 4;
    context_ = Context::create(tiny_model().handle(), options).value();
    pool_ = std::make_unique<SequencePool>(*context_, PoolOptions{4, 3, 4, 256});
  }

  PrefixId add(std::size_t n, std::size_t start) {
    return table_.add(tiny_model().embed(letters(n, start)).value());
  }
  // Asks for a sequence whose answer may have `answer` tokens that are decoded.
  std::optional<OpenSequence> open(const Tokens& prompt, std::size_t answer,
                                   const Stack& stack = {}, const char* tenant = "") {
    OpenRequest request;
    request.tenant = tenant;
    request.stack = table_.stack(stack).value();
    request.prompt = prompt;
    request.tokens = prompt.size() + answer;
    request.reusable = prompt.size() - 1;
    auto opened = pool_->open(request);
    EXPECT_TRUE(opened.ok());
    return std::move(opened).value();
  }
  // Decodes the rest of the prompt; the logits behind it.
  std::vector<float> decode(OpenSequence& sequence, const Tokens& prompt) {
    TokenBatch batch;
    std::int32_t last = 0;
    while (sequence.tokens.size() < prompt.size()) {
      const std::size_t i = sequence.tokens.size();
      last = batch.add(prompt[i], static_cast<llama_pos>(sequence.stack->next + i), sequence.id,
                       i + 1 == prompt.size());
      pool_->append(sequence, prompt[i]);
    }
    EXPECT_TRUE(context_->decode(batch).ok());
    const auto logits = context_->logits(last);
    return {logits.begin(), logits.end()};
  }
  // Opens, decodes and closes.
  std::vector<float> run(const Tokens& prompt, const Stack& stack = {}) {
    auto sequence = open(prompt, 0, stack);
    auto logits = decode(*sequence, prompt);
    pool_->close(std::move(*sequence), true);
    return logits;
  }

  PrefixTable table_;
  std::unique_ptr<Context> context_;
  std::unique_ptr<SequencePool> pool_;
};

void expect_near(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  // F32 throughout: only the order of sums differs.
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-4f) << i;
}

TEST_F(SequencePoolTest, ReusesTheLongestKnownBeginning) {
  const Tokens prompt = letters(20);
  const auto first = run(prompt);
  EXPECT_EQ(pool_->kept(), 1u);
  EXPECT_EQ(pool_->used_cells(), 20u);
  auto again = open(prompt, 5);
  EXPECT_EQ(again->tokens.size(), 19u);  // the last token's logits are wanted
  EXPECT_EQ(pool_->used_cells(), 20u);   // shared
  EXPECT_EQ(pool_->promised_cells(), 6u);
  expect_near(decode(*again, prompt), first);
  EXPECT_EQ(pool_->used_cells(), 21u);
  pool_->close(std::move(*again), true);
  EXPECT_EQ(pool_->promised_cells(), 0u);
  EXPECT_EQ(pool_->used_cells(), 20u);  // one of two equal prompts is kept
}

TEST_F(SequencePoolTest, NeverReusesAcrossStacks) {
  const PrefixId a = add(7, 1), b = add(9, 5);
  const Tokens prompt = letters(12);
  run(prompt);
  run(prompt, {{a}});
  for (const Stack& stack : {Stack{{b}}, Stack{{a, b}}, Stack{{a, b}, Compose::kParallel}}) {
    auto other = open(prompt, 0, stack);
    EXPECT_EQ(other->tokens.size(), 0u);
    pool_->close(std::move(*other), false);
  }
  auto same = open(prompt, 0, {{a}});
  EXPECT_EQ(same->tokens.size(), 11u);
  pool_->close(std::move(*same), false);
}

TEST_F(SequencePoolTest, CountsWhatTenantsHold) {
  const PrefixId id = add(7, 1);
  const auto expect_use = [&](std::size_t a, std::size_t b, std::size_t free) {
    EXPECT_EQ(pool_->cell_use("a").held, a);
    EXPECT_EQ(pool_->cell_use("b").held, b);
    EXPECT_EQ(pool_->cell_use("a").free, free);
  };
  const Tokens prompt = letters(20);
  auto a = open(prompt, 10, {{id}}, "a");
  expect_use(30, 0, 256 - 7 - 30);
  decode(*a, prompt);
  expect_use(30, 0, 256 - 7 - 30);
  // Rows are there once; tokens of another tenant are not shared.
  auto b = open(prompt, 5, {{id}}, "b");
  EXPECT_TRUE(b->tokens.empty());
  expect_use(30, 25, 256 - 7 - 30 - 25);
  auto again = open(prompt, 10, {{id}}, "a");
  expect_use(60, 25, 256 - 7 - 60 - 25);
  EXPECT_TRUE(pool_->copy(*again, *a, 19).value());
  expect_use(41, 25, 256 - 7 - 41 - 25);
  pool_->close(std::move(*b), false);
  pool_->close(std::move(*a), true);
  expect_use(30, 0, 256 - 7 - 30);  // what is kept alone is free
  pool_->close(std::move(*again), false);
  expect_use(0, 0, 256);
  // What was kept is held again.
  auto kept = open(prompt, 0, {{id}}, "a");
  EXPECT_EQ(kept->tokens.size(), 19u);
  expect_use(20, 0, 256 - 7 - 20);
  pool_->close(std::move(*kept), false);
  expect_use(0, 0, 256);
}

TEST_F(SequencePoolTest, DecodesAPrefixOnce) {
  const PrefixId a = add(7, 1), b = add(9, 5);
  auto first = open(letters(3), 0, {{a, b}, Compose::kParallel});
  auto second = open(letters(4, 2), 0, {{b, a}, Compose::kParallel});
  auto third = open(letters(5, 4), 0, {{b}});
  EXPECT_EQ(pool_->prefixes(), 2u);
  EXPECT_EQ(pool_->used_cells(), 16u);
  auto joined = open(letters(5, 4), 0, {{a, b}});
  EXPECT_EQ(pool_->prefixes(), 3u);
  EXPECT_EQ(pool_->used_cells(), 32u);
  for (auto* sequence : {&first, &second, &third, &joined})
    pool_->close(std::move(**sequence), false);
  EXPECT_EQ(pool_->used_cells(), 32u);  // the prefixes stay
}

TEST_F(SequencePoolTest, CopiesFromARequestThatRuns) {
  const Tokens prompt = letters(20);
  auto first = open(prompt, 0);
  auto second = open(prompt, 0);
  EXPECT_EQ(second->tokens.size(), 0u);
  const auto logits = decode(*first, prompt);
  EXPECT_TRUE(pool_->copy(*second, *first, 19).value());
  EXPECT_EQ(pool_->used_cells(), 20u);
  EXPECT_EQ(pool_->promised_cells(), 1u);
  expect_near(decode(*second, prompt), logits);
  pool_->close(std::move(*first), false);
  EXPECT_EQ(pool_->used_cells(), 20u);
  pool_->close(std::move(*second), false);
  EXPECT_EQ(pool_->used_cells(), 0u);
}

TEST_F(SequencePoolTest, PromisesNoMoreCellsThanThereAre) {
  auto first = open(letters(100), 50);
  EXPECT_FALSE(open(letters(60, 1), 47).has_value());
  auto second = open(letters(60, 1), 46);
  ASSERT_TRUE(second.has_value());
  EXPECT_FALSE(open(letters(1, 2), 0).has_value());
  pool_->close(std::move(*first), false);
  EXPECT_TRUE(open(letters(1, 2), 0).has_value());
}

TEST_F(SequencePoolTest, EvictsKeptPromptsThenPrefixesForRoom) {
  const PrefixId a = add(40, 1), b = add(40, 5);
  run(letters(30, 1), {{a}});
  run(letters(30, 2), {{b}});
  EXPECT_EQ(pool_->used_cells(), 140u);
  auto large = open(letters(116, 3), 0);
  ASSERT_TRUE(large.has_value());
  EXPECT_EQ(pool_->kept(), 2u);
  pool_->close(std::move(*large), false);
  large = open(letters(117, 3), 0);
  EXPECT_EQ(pool_->kept(), 1u);
  EXPECT_EQ(pool_->prefixes(), 2u);
  pool_->close(std::move(*large), false);
  large = open(letters(200, 3), 0);
  ASSERT_TRUE(large.has_value());
  EXPECT_EQ(pool_->kept(), 0u);
  EXPECT_EQ(pool_->prefixes(), 1u);
  pool_->close(std::move(*large), false);
  // What comes back is decoded again.
  auto back = open(letters(30, 1), 0, {{a}});
  EXPECT_EQ(back->rows.size(), 40u);
}

TEST_F(SequencePoolTest, AFullCacheCanStillReuseWhatItEvicts) {
  const Tokens prompt = letters(200);
  run(prompt);
  // Its own source is all there is to evict.
  auto longer = open(prompt, 56);
  ASSERT_TRUE(longer.has_value());
  EXPECT_EQ(longer->tokens.size(), 199u);
  EXPECT_EQ(pool_->kept(), 0u);
  EXPECT_EQ(pool_->used_cells() + pool_->promised_cells(), 256u);
}

TEST_F(SequencePoolTest, MorePrefixesThanSequencesTakeTurns) {
  std::vector<PrefixId> ids;
  for (std::size_t i = 0; i < 5; ++i) ids.push_back(add(3, i));
  std::vector<std::vector<float>> first;
  for (const PrefixId id : ids) first.push_back(run(letters(4), {{id}}));
  EXPECT_EQ(pool_->prefixes(), 3u);
  for (std::size_t i = 0; i < ids.size(); ++i) expect_near(run(letters(4), {{ids[i]}}), first[i]);
}

TEST_F(SequencePoolTest, FreesWhatARetiredPrefixLeaves) {
  const PrefixId a = add(7, 1), b = add(9, 5);
  run(letters(10), {{a}});
  run(letters(10), {{b}});
  auto running = open(letters(11), 0, {{a}});
  ASSERT_TRUE(table_.retire(a).ok());
  pool_->drop_retired();
  EXPECT_EQ(pool_->prefixes(), 1u);
  EXPECT_EQ(pool_->kept(), 1u);
  EXPECT_EQ(running->tokens.size(), 10u);
  EXPECT_EQ(pool_->used_cells(), 19u + 17u);
  decode(*running, letters(11));
  pool_->close(std::move(*running), true);
  EXPECT_EQ(pool_->kept(), 1u);
  EXPECT_EQ(pool_->used_cells(), 19u);
}

TEST_F(SequencePoolTest, AFailureToDecodeAPrefixLeavesNoTrace) {
  const PrefixId a = add(7, 1);
  CancelFlag raised;
  raised.raise();
  context_->set_cancel(&raised);
  OpenRequest request;
  const Tokens prompt = letters(5);
  request.stack = table_.stack({{a}}).value();
  request.prompt = prompt;
  request.tokens = 10;
  EXPECT_FALSE(pool_->open(request).ok());
  context_->set_cancel(nullptr);
  EXPECT_EQ(pool_->used_cells(), 0u);
  EXPECT_EQ(pool_->promised_cells(), 0u);
  EXPECT_EQ(pool_->prefixes(), 0u);
  EXPECT_EQ(run(prompt, {{a}}).size(), tiny_model().n_vocab());
}

}  // namespace
}  // namespace llmpatch
