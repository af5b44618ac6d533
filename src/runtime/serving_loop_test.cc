#include "runtime/serving_loop.h"

#include <random>
#include <set>

#include "runtime/test_serving_loop.h"

namespace llmpatch {
namespace {

INSTANTIATE_TEST_SUITE_P(Layouts, ServingLoopTest, ::testing::Bool(),
                         [](const auto& layout) { return layout.param ? "Split" : "Unified"; });

TEST_P(ServingLoopTest, ALongPromptDoesNotStallAnAnswer) {
  start();
  const RequestId answer = add(request(letters(3), 60));
  loop_->step();
  ASSERT_EQ(heard_[answer].tokens.size(), 1u);
  const RequestId long_prompt = add(request(letters(200, 5), 1));
  // 200 tokens at 16 a batch: 13 batches, each with a token of the answer.
  for (std::size_t batch = 1; batch <= 13; ++batch) {
    EXPECT_FALSE(heard_[long_prompt].result.has_value()) << batch;
    loop_->step();
    EXPECT_EQ(heard_[answer].tokens.size(), 1 + batch);
  }
  EXPECT_EQ(end(long_prompt), ServingEnd::kLength);
}

TEST_P(ServingLoopTest, AShortPromptPassesALongOne) {
  start();
  add(request(letters(3), 60));
  loop_->step();
  const RequestId long_prompt = add(request(letters(200, 5), 1));
  const RequestId short_prompt = add(request(letters(8, 6), 1));
  loop_->step();
  EXPECT_EQ(end(short_prompt), ServingEnd::kLength);
  // The long one had the other half of that batch, and has all of the following.
  for (int batch = 0; batch < 11; ++batch) loop_->step();
  EXPECT_FALSE(heard_[long_prompt].result.has_value());
  loop_->step();
  EXPECT_EQ(end(long_prompt), ServingEnd::kLength);
}

TEST_P(ServingLoopTest, OfASplitCachePromptsAfterTheFirstAreDecodedWhole) {
  start(4, 16);
  add(request(letters(3), 60));
  loop_->step();
  const std::uint64_t before = loop_->stats().prompt_tokens;
  for (const int first : {5, 6, 7}) add(request(letters(10, first), 1));
  loop_->step();
  // 16 tokens: all of one prompt, and what is left goes to a part of the next, or waits.
  EXPECT_EQ(loop_->stats().prompt_tokens - before, split_ ? 10u : 16u);
  loop_->step();
  loop_->step();
  EXPECT_EQ(order_.size(), 3u);
}

TEST_P(ServingLoopTest, ShortPromptsWithoutEndDoNotStarveALongOne) {
  start(4, 16);
  add(request(letters(3), 200));
  loop_->step();
  const RequestId long_prompt = add(request(letters(160, 5), 1));
  std::size_t batches = 0;
  for (; batches < 26 && !heard_[long_prompt].result; ++batches) {
    // No two begin alike.
    for (const Token letter : {260, 261}) {
      Tokens prompt{letter, static_cast<Token>(260 + batches)};
      prompt.resize(8, 270);
      add(request(prompt, 1));
    }
    loop_->step();
  }
  EXPECT_LE(batches, 20u);  // half of 16 tokens a batch
}

TEST_F(UnifiedServingLoopTest, MoreRequestsThanCellsWait) {
  start();
  std::vector<RequestId> ids;
  for (std::size_t i = 0; i < 12; ++i) ids.push_back(add(request(letters(100, i), 90)));
  loop_->step();
  // 189 cells each: two at a time of 512.
  EXPECT_EQ(loop_->stats().running, 2);
  EXPECT_EQ(loop_->stats().waiting, 10);
  run();
  for (const RequestId id : ids) {
    EXPECT_EQ(end(id), ServingEnd::kLength);
    EXPECT_EQ(heard_[id].tokens.size(), 90u);
  }
}

TEST_F(UnifiedServingLoopTest, AFailingBatchEndsItsRequestsAndNoOthers) {
  start();
  const RequestId before = add(request(letters(3), 2));
  run();
  // Cells taken behind the loop's back: libllama finds none.
  const Rows rows = tiny_model().embed(letters(kCells)).value();
  context_->clear();
  ASSERT_TRUE(context_->decode_rows(rows, outside_).ok());
  const RequestId failing = add(request(letters(5, 3), 2)), also = add(request(letters(6, 4), 2));
  loop_->step();
  context_->remove(outside_);
  const RequestId after = add(request(letters(5, 8), 2));
  run();
  EXPECT_EQ(end(before), ServingEnd::kLength);
  EXPECT_EQ(end(after), ServingEnd::kLength);
  for (const RequestId id : {failing, also}) {
    EXPECT_EQ(end(id), ServingEnd::kFailed);
    EXPECT_EQ(heard_[id].result->error.value().kind, ErrorKind::kLimit);
  }
}

TEST_F(UnifiedServingLoopTest, APrefixThatCannotBeDecodedFailsItsRequest) {
  start();
  const PrefixId id = table_.add(tiny_model().embed(letters(20)).value());
  ASSERT_TRUE(context_->decode_rows(tiny_model().embed(letters(kCells)).value(), outside_).ok());
  const RequestId failing = add(request(letters(5), 2, {{id}}));
  loop_->step();
  EXPECT_EQ(end(failing), ServingEnd::kFailed);
  context_->remove(outside_);
  const RequestId after = add(request(letters(5), 2, {{id}}));
  run();
  EXPECT_EQ(end(after), ServingEnd::kLength);
}

TEST_P(ServingLoopTest, CancelsWhatWaitsAndWhatRuns) {
  start(1);
  const RequestId running = add(request(letters(3), 60)), waiting = add(request(letters(4), 60)),
                  other = add(request(letters(5), 3));
  loop_->step();
  loop_->cancel({running, waiting, 12345});
  EXPECT_EQ(end(running), ServingEnd::kCancelled);
  EXPECT_EQ(end(waiting), ServingEnd::kCancelled);
  EXPECT_EQ(heard_[running].tokens.size(), 1u);
  EXPECT_EQ(heard_[waiting].result->usage.prompt_tokens, 4);
  run();
  EXPECT_EQ(end(other), ServingEnd::kLength);
  EXPECT_EQ(loop_->ended(), 3u);
}

TEST_P(ServingLoopTest, EndsWhatIsLate) {
  start(1);
  ServingRequest late = request(letters(4), 60);
  late.deadline = std::chrono::steady_clock::now();
  const RequestId running = add(request(letters(3), 3)), waiting = add(late);
  loop_->step();
  EXPECT_EQ(end(waiting), ServingEnd::kDeadline);
  run();
  EXPECT_EQ(end(running), ServingEnd::kLength);
}

TEST_P(ServingLoopTest, EqualPromptsAtOnceAreDecodedOnce) {
  start();
  std::vector<RequestId> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(add(request(letters(100), 3)));
  run();
  EXPECT_EQ(loop_->stats().prompt_tokens, 100u + 3u);
  EXPECT_EQ(loop_->stats().cached_tokens, 3u * 99u);
  EXPECT_EQ(cached(ids[0]), 0);
  for (const RequestId id : {ids[1], ids[2], ids[3]}) {
    EXPECT_EQ(cached(id), 99);
    EXPECT_EQ(heard_[id].text, heard_[ids[0]].text);
  }
}

// Whoever waited for another's prompt takes over when that one goes.
TEST_P(ServingLoopTest, WhoWaitsForAPromptDoesNotNeedItsOwner) {
  start(4, 16);
  add(request(letters(3), 100));
  loop_->step();
  const RequestId owner = add(request(letters(100, 1), 3)), heir = add(request(letters(100, 1), 3));
  loop_->step();
  loop_->step();
  loop_->cancel({owner});
  run();
  EXPECT_EQ(end(heir), ServingEnd::kLength);
  EXPECT_EQ(cached(heir), 16);
}

TEST_P(ServingLoopTest, ReusesAConversation) {
  start();
  const RequestId first = add(request(letters(40), 10));
  run();
  Tokens next = letters(40);
  next.insert(next.end(), heard_[first].tokens.begin(), heard_[first].tokens.end());
  const Tokens more = letters(9, 3);
  next.insert(next.end(), more.begin(), more.end());
  const RequestId second = add(request(next, 5));
  run();
  EXPECT_EQ(cached(second), 49);  // the last token of an answer is not decoded
  start();                        // an empty cache
  const RequestId again = add(request(next, 5));
  run();
  EXPECT_EQ(cached(again), 0);
  EXPECT_EQ(heard_[again].text, heard_[second].text);
}

TEST_P(ServingLoopTest, NeverReusesAcrossStacks) {
  start();
  const PrefixId a = table_.add(tiny_model().embed(letters(7, 1)).value());
  const PrefixId b = table_.add(tiny_model().embed(letters(7, 5)).value());
  const std::vector<Stack> stacks{{},       {{a}},    {{b}},
                                  {{a, b}}, {{b, a}}, {{a, b}, Compose::kParallel}};
  std::vector<std::string> texts;
  for (const Stack& stack : stacks) {
    const RequestId id = add(request(letters(30), 8, stack));
    run();
    EXPECT_EQ(cached(id), 0);
    texts.push_back(heard_[id].text);
  }
  for (std::size_t i = 0; i < stacks.size(); ++i) {
    const RequestId id = add(request(letters(30), 8, stacks[i]));
    run();
    EXPECT_EQ(heard_[id].text, texts[i]) << i;
  }
}

// Whatever is shared, evicted, cancelled or waits meanwhile.
TEST_P(ServingLoopTest, InAnyMixARequestAnswersAsAlone) {
  std::vector<PrefixId> ids;
  for (std::size_t i = 0; i < 4; ++i) {
    ids.push_back(table_.add(tiny_model().embed(letters(4 + 9 * i, i)).value()));
  }
  const std::vector<Stack> stacks{{},
                                  {{ids[0]}},
                                  {{ids[1]}},
                                  {{ids[2], ids[0]}},
                                  {{ids[0], ids[3]}, Compose::kParallel},
                                  {{ids[1], ids[2], ids[3]}, Compose::kParallel}};
  std::mt19937 random(7);
  std::vector<ServingRequest> requests;
  for (int i = 0; i < 80; ++i) {
    Tokens prompt = letters(random() % 3 * 30, random() % 2);
    const Tokens own = letters(1 + random() % 40, random() % 26);
    prompt.insert(prompt.end(), own.begin(), own.end());
    requests.push_back(
        request(prompt, 1 + static_cast<int>(random() % 20), stacks[random() % stacks.size()]));
  }

  start(1, 512, false);  // one at a time, nothing kept
  std::vector<std::string> alone;
  for (const ServingRequest& one : requests) {
    const RequestId id = add(one);
    run();
    alone.push_back(heard_[id].text);
  }

  start(4, 16);
  std::vector<RequestId> added;
  std::set<RequestId> cancelled;
  while (added.size() < requests.size()) {
    if (random() % 2 == 0) added.push_back(add(requests[added.size()]));
    if (!added.empty() && random() % 16 == 0) {
      const RequestId id = added[random() % added.size()];
      if (!heard_[id].result) cancelled.insert(id);
      loop_->cancel({id});
    }
    loop_->step();
    ASSERT_LE(loop_->stats().used_cells, static_cast<int>(split_ ? 4 * kCells : kCells));
  }
  run();
  EXPECT_GT(loop_->stats().cached_tokens, 0u);
  for (std::size_t i = 0; i < added.size(); ++i) {
    const std::string& text = heard_[added[i]].text;
    if (cancelled.contains(added[i])) {
      EXPECT_EQ(alone[i].rfind(text, 0), 0u) << i;
    } else {
      EXPECT_EQ(text, alone[i]) << i;
      EXPECT_EQ(end(added[i]), ServingEnd::kLength);
    }
  }
}

TEST_P(ServingLoopTest, RequestsFinishOnAPrefixRetiredMeanwhile) {
  start(2);
  const PrefixId a = table_.add(tiny_model().embed(letters(7, 1)).value());
  const RequestId before = add(request(letters(30), 12, {{a}}));
  run();
  const RequestId running = add(request(letters(30), 12, {{a}})),
                  second = add(request(letters(31), 12, {{a}})),
                  waiting = add(request(letters(30), 12, {{a}}));
  loop_->step();
  ASSERT_TRUE(table_.retire(a).ok());
  loop_->drop_retired();
  run();
  for (const RequestId id : {running, second, waiting}) {
    EXPECT_EQ(end(id), ServingEnd::kLength);
  }
  EXPECT_EQ(heard_[running].text, heard_[before].text);
  EXPECT_EQ(heard_[waiting].text, heard_[before].text);
  EXPECT_EQ(loop_->stats().used_cells, 0);
}

TEST_P(ServingLoopTest, GivesLogProbabilitiesOfThePrompt) {
  start();
  const Tokens prompt = letters(30);
  add(request(prompt, 2));
  run();  // the prompt is kept, and must not be reused
  ServingRequest wanted = request(prompt, 2);
  wanted.prompt_logprobs = true;
  wanted.logprobs = 3;
  const RequestId id = add(wanted);
  run();
  const ServingResult& result = heard_[id].result.value();
  EXPECT_EQ(result.usage.cached_tokens, 0);
  ASSERT_EQ(result.prompt_logprobs.size(), prompt.size());
  EXPECT_EQ(result.prompt_logprobs[0].logprob, 0);

  EngineOptions options;
  options.exact = true;
  const auto engine = make_engine(tiny_model(), options);
  const ScoreRequest score{{prompt[0]}, Tokens(prompt.begin() + 1, prompt.end()), {}};
  const std::vector<float> expected = engine->score({&score, 1}).value().at(0);
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    EXPECT_EQ(result.prompt_logprobs[i].token, prompt[i]);
    if (i == 0) continue;
    EXPECT_NEAR(result.prompt_logprobs[i].logprob, expected[i - 1], 1e-4f) << i;
    EXPECT_EQ(result.prompt_logprobs[i].top.size(), 3u);
  }
}

}  // namespace
}  // namespace llmpatch
