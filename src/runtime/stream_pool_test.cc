#include "runtime/stream_pool.h"

#include <algorithm>

#include "runtime/sequence_pool.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

// Bytes of a cell of the tiny model in F32, with room for heads and places.
constexpr std::size_t kCellBytes = 3 * 2 * 2 * 16 * 4 + 64;

class StreamPoolTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kStreams = 4;

  StreamPoolTest() { start(); }

  void start(std::size_t kept_bytes = 1 << 20, std::size_t window = 0) {
    pool_.reset();
    ContextOptions options;
    options.exact = true;
    options.split = true;
    options.cells = 256;
    options.sequences = kStreams;
    options.outputs = kStreams;
    context_ = Context::create(tiny_model().handle(), options).value();
    pool_ = std::make_unique<StreamPool>(*context_, StreamOptions{kStreams, 3, kept_bytes, window});
  }

  PrefixId add(std::size_t n, std::size_t start) {
    return table_.add(tiny_model().embed(letters(n, start)).value());
  }
  OpenRequest wanted(const Tokens& prompt, const Stack& stack, const char* tenant = "") {
    OpenRequest request;
    request.tenant = tenant;
    request.stack = table_.stack(stack).value();
    request.prompt = prompt;
    request.tokens = prompt.size();
    request.reusable = prompt.size() - 1;
    return request;
  }
  std::optional<OpenSequence> open(const Tokens& prompt, const Stack& stack = {},
                                   const char* tenant = "") {
    auto opened = pool_->open(wanted(prompt, stack, tenant));
    EXPECT_TRUE(opened.ok());
    return std::move(opened).value();
  }
  // Decodes the rest of the tokens; the logits behind them.
  std::vector<float> decode(OpenSequence& sequence, const Tokens& tokens) {
    TokenBatch batch;
    std::int32_t last = 0;
    while (sequence.tokens.size() < tokens.size()) {
      const std::size_t i = sequence.tokens.size();
      last = batch.add(tokens[i], static_cast<llama_pos>(sequence.stack->next + i), sequence.id,
                       i + 1 == tokens.size());
      pool_->append(sequence, tokens[i]);
    }
    EXPECT_TRUE(context_->decode(batch).ok());
    const auto logits = context_->logits(last);
    return {logits.begin(), logits.end()};
  }
  // Opens, decodes and closes; the logits and how many tokens were found.
  std::pair<std::vector<float>, std::size_t> run(const Tokens& prompt, const Stack& stack = {},
                                                 const char* tenant = "") {
    auto sequence = open(prompt, stack, tenant);
    const std::size_t found = sequence->tokens.size();
    auto logits = decode(*sequence, prompt);
    pool_->close(std::move(*sequence), true);
    return {logits, found};
  }

  PrefixTable table_;
  std::unique_ptr<Context> context_;
  std::unique_ptr<StreamPool> pool_;
};

void expect_near(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  // F32 throughout: only the order of sums differs.
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-4f) << i;
}

// What the unified cache computes for a prompt behind a stack.
std::vector<float> unified(const Tokens& prompt, const PrefixTable& table, const Stack& stack) {
  ContextOptions options;
  options.exact = true;
  options.cells = 512;
  options.sequences = 16;
  options.outputs = 16;
  const auto context = Context::create(tiny_model().handle(), options).value();
  SequencePool pool(*context, {4, 4, 0, 0});
  OpenRequest request;
  request.stack = table.stack(stack).value();
  request.prompt = prompt;
  request.tokens = prompt.size();
  OpenSequence sequence = *pool.open(request).value();
  TokenBatch batch;
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    batch.add(prompt[i], static_cast<llama_pos>(sequence.stack->next + i), sequence.id,
              i + 1 == prompt.size());
  }
  EXPECT_TRUE(context->decode(batch).ok());
  const auto logits = context->logits(static_cast<std::int32_t>(prompt.size()) - 1);
  return {logits.begin(), logits.end()};
}

TEST_F(StreamPoolTest, ContextsPassTheirOwnCheck) {
  for (const Model* model : {&tiny_model(), &smollm2(), &gemma3()}) {
    for (const bool exact : {false, true}) {
      ContextOptions options;
      options.exact = exact;
      options.split = true;
      options.cells = 256;
      options.sequences = 2;
      options.outputs = 2;
      const auto context = Context::create(model->handle(), options).value();
      const Status status = check_saved_cells(*context, model->n_vocab());
      EXPECT_TRUE(status.ok()) << status.error().to_string();
    }
  }
}

TEST_F(StreamPoolTest, AnswersBehindStacksAsTheUnifiedCacheDoes) {
  const PrefixId a = add(7, 1), b = add(12, 5), c = add(3, 9);
  for (const Stack& stack : {Stack{}, Stack{{a}}, Stack{{b, a}}, Stack{{a, b}, Compose::kParallel},
                             Stack{{c, b, a}, Compose::kParallel}}) {
    for (const bool again : {false, true}) {
      const auto [logits, found] = run(letters(20), stack);
      EXPECT_EQ(found, again ? 19u : 0u);
      expect_near(logits, unified(letters(20), table_, stack));
    }
  }
}

TEST_F(StreamPoolTest, APromptIsTakenUpWhereItIs) {
  const Tokens prompt = letters(20);
  const auto first = run(prompt).first;
  EXPECT_EQ(pool_->kept(), 1u);
  EXPECT_EQ(pool_->used_cells(), 20u);
  auto again = open(prompt);
  EXPECT_EQ(again->tokens.size(), 19u);  // the last token's logits are wanted
  EXPECT_EQ(pool_->used_cells(), 19u);
  EXPECT_EQ(pool_->kept(), 0u);
  expect_near(decode(*again, prompt), first);
  pool_->close(std::move(*again), true);
  EXPECT_EQ(pool_->used_cells(), 20u);
  EXPECT_EQ(pool_->kept_bytes(), 0u);  // nothing was moved
}

TEST_F(StreamPoolTest, PromptsMoveOutsideForOthersAndComeBack) {
  std::vector<std::vector<float>> first;
  for (std::size_t i = 0; i < 2 * kStreams; ++i) first.push_back(run(letters(30, 2 * i)).first);
  EXPECT_EQ(pool_->kept(), 2 * kStreams);
  EXPECT_GT(pool_->kept_bytes(), 0u);
  EXPECT_EQ(pool_->used_cells(), kStreams * 30);
  for (std::size_t i = 0; i < 2 * kStreams; ++i) {
    const auto [logits, found] = run(letters(30, 2 * i));
    EXPECT_EQ(found, 29u) << i;
    expect_near(logits, first[i]);
  }
}

TEST_F(StreamPoolTest, KeepsNoMoreBytesThanItMay) {
  start(100 * kCellBytes);
  for (std::size_t i = 0; i < 3 * kStreams; ++i) {
    run(letters(30, 2 * i));
    EXPECT_LE(pool_->kept_bytes(), 100 * kCellBytes);
  }
  EXPECT_GE(pool_->kept(), kStreams + 2);
  EXPECT_EQ(run(letters(30, 0)).second, 0u);  // the oldest is gone
  start(0);
  for (std::size_t i = 0; i < 2 * kStreams; ++i) run(letters(30, 2 * i));
  EXPECT_EQ(pool_->kept(), kStreams);
}

// An opening that many share is copied, and the long prompt it came from stays.
TEST_F(StreamPoolTest, ASharedOpeningIsCopied) {
  const auto with = [](std::size_t own, std::size_t start) {
    Tokens prompt = letters(20);
    const Tokens more = letters(own, start);
    prompt.insert(prompt.end(), more.begin(), more.end());
    return prompt;
  };
  run(with(100, 1));
  auto other = open(with(10, 2));
  EXPECT_EQ(other->tokens.size(), 20u);
  expect_near(decode(*other, with(10, 2)), unified(with(10, 2), table_, {}));
  EXPECT_EQ(run(with(100, 1)).second, 119u);
  pool_->close(std::move(*other), true);
}

TEST_F(StreamPoolTest, CopiesFromARequestThatRuns) {
  const PrefixId a = add(7, 1);
  const Tokens prompt = letters(20);
  auto first = open(prompt, {{a}}), second = open(prompt, {{a}});
  EXPECT_EQ(second->tokens.size(), 0u);
  const auto logits = decode(*first, prompt);
  ASSERT_TRUE(pool_->copy(*second, *first, 19).value());
  EXPECT_EQ(second->tokens, Tokens(prompt.begin(), prompt.end() - 1));
  EXPECT_EQ(pool_->used_cells(), 2u * 7 + 20 + 19);
  expect_near(decode(*second, prompt), logits);
  OpenRequest request = wanted(prompt, {{a}});
  request.source = &*first;
  request.common = 19;
  auto third = pool_->open(request).value();
  EXPECT_EQ(third->tokens.size(), 19u);
  expect_near(decode(*third, prompt), logits);
  for (auto* sequence : {&first, &second, &third}) pool_->close(std::move(**sequence), false);
  EXPECT_EQ(pool_->used_cells(), 0u);
}

TEST_F(StreamPoolTest, NeverReusesAcrossStacks) {
  const PrefixId a = add(7, 1), b = add(9, 5);
  const Tokens prompt = letters(20);
  const std::vector<Stack> stacks{{},       {{a}},    {{b}},
                                  {{a, b}}, {{b, a}}, {{a, b}, Compose::kParallel}};
  for (const Stack& stack : stacks) EXPECT_EQ(run(prompt, stack).second, 0u);
  for (const Stack& stack : stacks) EXPECT_EQ(run(prompt, stack).second, 19u);
}

// Neither in the cache nor outside.
TEST_F(StreamPoolTest, NeverReusesAcrossTenants) {
  const PrefixId a = add(7, 1);
  const Tokens prompt = letters(20);
  const std::vector<const char*> tenants{"", "a", "b", "c", "d", "e", "f", "g"};
  for (const Stack& stack : {Stack{}, Stack{{a}}}) {
    for (const char* tenant : tenants) {
      const auto [logits, found] = run(prompt, stack, tenant);
      EXPECT_EQ(found, 0u) << tenant;
      expect_near(logits, unified(prompt, table_, stack));
    }
    for (const char* tenant : tenants) EXPECT_EQ(run(prompt, stack, tenant).second, 19u) << tenant;
  }
}

TEST_F(StreamPoolTest, RequestsThatRunAreNeighbours) {
  std::vector<OpenSequence> open_now;
  for (std::size_t i = 0; i + 1 < kStreams; ++i) {
    // Kept prompts wherever no request runs.
    for (std::size_t k = 0; k < 3; ++k) run(letters(20, i + 7 * k));
    open_now.push_back(*open(letters(25, 3 + i)));
    std::vector<std::int32_t> ids;
    for (const OpenSequence& sequence : open_now) ids.push_back(sequence.id);
    const auto [least, most] = std::minmax_element(ids.begin(), ids.end());
    EXPECT_EQ(*most - *least + 1, static_cast<std::int32_t>(i) + 1);
  }
  for (OpenSequence& sequence : open_now) pool_->close(std::move(sequence), false);
}

TEST_F(StreamPoolTest, AllStreamsTakenMeansWait) {
  std::vector<OpenSequence> taken;
  for (std::size_t i = 0; i < kStreams; ++i) taken.push_back(*open(letters(5, i)));
  EXPECT_FALSE(open(letters(5)).has_value());
  pool_->close(std::move(taken.back()), false);
  EXPECT_TRUE(open(letters(5)).has_value());
}

TEST_F(StreamPoolTest, AGapThatStaysIsClosed) {
  const PrefixId a = add(7, 1);
  std::vector<OpenSequence> running;
  for (std::size_t i = 0; i < 3; ++i) {
    running.push_back(*open(letters(20, i), {{a}}));
    decode(running.back(), letters(20, i));
  }
  ASSERT_EQ(running[0].id + 2, running[2].id);
  pool_->close(std::move(running[1]), true);
  std::vector<OpenSequence*> left{&running[0], &running[2]};
  pool_->compact(left);  // a request may come that takes the place
  EXPECT_EQ(running[2].id, running[0].id + 2);
  pool_->compact(left);
  EXPECT_EQ(running[2].id, running[0].id + 1);
  EXPECT_EQ(pool_->kept(), 1u);  // what was there moved outside
  EXPECT_EQ(pool_->used_cells(), 2u * 27);
  expect_near(decode(running[2], letters(25, 2)), unified(letters(25, 2), table_, {{a}}));
  pool_->compact(left);
  EXPECT_EQ(running[2].id, running[0].id + 1);
  for (OpenSequence* sequence : left) pool_->close(std::move(*sequence), false);
}

TEST_F(StreamPoolTest, WhatReachesBeyondAWindowStaysWhereItIs) {
  start(1 << 20, 24);
  run(letters(20));
  run(letters(30, 1));
  for (std::size_t i = 2; i < 2 + kStreams; ++i) run(letters(10, i));
  EXPECT_EQ(run(letters(30, 1)).second, 0u);  // was not saved
  EXPECT_EQ(run(letters(20)).second, 19u);
  // In place all is there.
  EXPECT_EQ(run(letters(30, 1)).second, 29u);
  auto first = open(letters(30, 8));
  decode(*first, letters(30, 8));
  auto second = open(letters(30, 8));
  EXPECT_FALSE(pool_->copy(*second, *first, 20).value());
  EXPECT_EQ(second->tokens.size(), 0u);
  pool_->close(std::move(*first), false);
  pool_->close(std::move(*second), false);
}

TEST_F(StreamPoolTest, StacksTakeTurns) {
  std::vector<PrefixId> ids;
  for (std::size_t i = 0; i < 5; ++i) ids.push_back(add(3 + i, i));
  for (int round = 0; round < 2; ++round) {
    for (const PrefixId id : ids) {
      expect_near(run(letters(4), {{id}}).first, unified(letters(4), table_, {{id}}));
      EXPECT_LE(pool_->stacks(), 3u);
    }
  }
}

TEST_F(StreamPoolTest, FreesWhatARetiredPrefixLeaves) {
  const PrefixId a = add(7, 1), b = add(9, 5);
  for (std::size_t i = 0; i < kStreams; ++i) {
    run(letters(20, i), {{a}});  // some of them move outside
    run(letters(20, i), {{b}});
  }
  auto running = open(letters(21), {{a}});
  const std::size_t kept = pool_->kept();
  ASSERT_TRUE(table_.retire(a).ok());
  pool_->drop_retired();
  EXPECT_LT(pool_->kept(), kept);
  decode(*running, letters(21));
  pool_->close(std::move(*running), true);
  ASSERT_TRUE(table_.retire(b).ok());
  pool_->drop_retired();
  EXPECT_EQ(pool_->kept(), 0u);
  EXPECT_EQ(pool_->kept_bytes(), 0u);
  EXPECT_EQ(pool_->used_cells(), 0u);
  EXPECT_EQ(pool_->stacks(), 0u);
}

TEST_F(StreamPoolTest, AFailureToDecodeAPrefixLeavesNoTrace) {
  const PrefixId a = add(7, 1);
  CancelFlag raised;
  raised.raise();
  context_->set_cancel(&raised);
  const Tokens prompt = letters(5);
  EXPECT_FALSE(pool_->open(wanted(prompt, {{a}})).ok());
  context_->set_cancel(nullptr);
  EXPECT_EQ(pool_->used_cells(), 0u);
  EXPECT_EQ(pool_->stacks(), 0u);
  expect_near(run(prompt, {{a}}).first, unified(prompt, table_, {{a}}));
}

}  // namespace
}  // namespace llmpatch
