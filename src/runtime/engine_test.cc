#include "runtime/engine.h"

#include <cmath>
#include <map>

#include "runtime/prompt.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

using Logits = std::vector<std::vector<float>>;  // per continuation token

std::vector<Logits> logits_of(Engine& engine, const std::vector<ScoreRequest>& requests) {
  std::vector<Logits> rows(requests.size());
  const Status status =
      engine.logits(requests, [&](std::size_t i, std::size_t position, std::span<const float> row) {
        EXPECT_EQ(position, rows[i].size());
        rows[i].emplace_back(row.begin(), row.end());
      });
  EXPECT_TRUE(status.ok()) << status.error().to_string();
  return rows;
}

float difference(const Logits& a, const Logits& b) {
  EXPECT_EQ(a.size(), b.size());
  float most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a[i].size(); ++j) {
      most = std::max(most, std::abs(a[i][j] - b[i][j]));
    }
  }
  return most;
}

GenerateRequest request(Tokens prompt, int max_tokens, Stack stack = {}) {
  GenerateRequest made;
  made.prompt = std::move(prompt);
  made.max_tokens = max_tokens;
  made.stack = std::move(stack);
  return made;
}

std::vector<Completion> generate(Engine& engine, const std::vector<GenerateRequest>& requests) {
  auto completions = engine.generate(requests);
  if (!completions.ok()) {
    ADD_FAILURE() << completions.error().to_string();
    return std::vector<Completion>(requests.size());
  }
  return std::move(completions).value();
}

Tokens chat(const std::string& text) {
  Prompt prompt;
  prompt.messages = {{"user", text}};
  return encode_prompt(smollm2(), prompt, PromptFormat::kChat).value();
}

EngineOptions exact_options() {
  EngineOptions options;
  options.exact = true;
  options.threads = 1;  // of work this small, threads only wait for each other
  options.context = 256;
  options.max_concurrent = 8;
  return options;
}

EngineOptions small_options() {
  EngineOptions options;
  options.context = 256;
  options.max_concurrent = 8;
  return options;
}

class TinyEngine : public ::testing::Test {
 protected:
  PrefixId add(const Tokens& tokens) {
    return engine_->add_prefix(tiny_model().embed(tokens).value()).value();
  }
  Logits rows(const Stack& stack) { return logits_of(*engine_, {{prompt_, text_, stack}}).at(0); }

  const std::unique_ptr<Engine> engine_ = make_engine(tiny_model(), exact_options());
  const Tokens prompt_ = letters(9, 3), text_ = letters(4, 11);
};

// --- Prefixes ---------------------------------------------------------------------------------

// With F32 weights and cache, where a batch's shape changes nothing but the order of sums.
TEST_F(TinyEngine, RowsAsPrefixAreTheirTokens) {
  const Tokens text = letters(12, 5);
  for (const std::size_t n : {std::size_t{1}, text.size() / 2, text.size() - 1}) {
    const auto split = text.begin() + static_cast<std::ptrdiff_t>(n);
    const PrefixId id = add(Tokens(text.begin(), split));
    const Logits by_rows = logits_of(*engine_, {{Tokens(split, text.end()), text_, {{id}}}}).at(0);
    const Logits by_tokens = logits_of(*engine_, {{text, text_, {}}}).at(0);
    EXPECT_LE(difference(by_rows, by_tokens), 1e-5F) << n << " rows";
  }
}

TEST_F(TinyEngine, ParallelPrefixesHaveNoOrder) {
  const PrefixId a = add(letters(7, 1)), b = add(letters(12, 5));
  const Logits ab = rows({{a, b}, Compose::kParallel});
  EXPECT_LE(difference(ab, rows({{b, a}, Compose::kParallel})), 1e-4f);
  EXPECT_GT(difference(ab, rows({{a}})), 1e-2f);
  EXPECT_GT(difference(ab, rows({{a, b}, Compose::kSequential})), 1e-2f);
}

TEST_F(TinyEngine, ParallelStartsBehindTheLongestPrefix) {
  // Two equal prefixes attended together are one prefix: the softmax over doubled cells.
  const PrefixId a = add(letters(7, 1)), again = add(letters(7, 1));
  const Logits both = rows({{a, again}, Compose::kParallel});
  const Logits one = rows({{a}});
  EXPECT_GT(difference(both, one), 1e-3f);  // the prefix weighs twice against the prompt
  const PrefixId none = add(letters(1, 1));
  EXPECT_NE(rows({{a, none}, Compose::kParallel}), one);
}

TEST_F(TinyEngine, SequentialIsOnePrefixOfAllRows) {
  const Rows first = tiny_model().embed(letters(7, 1)).value();
  const Rows second = tiny_model().embed(letters(12, 5)).value();
  Rows joined = first;
  joined.n += second.n;
  joined.values.insert(joined.values.end(), second.values.begin(), second.values.end());
  const PrefixId a = engine_->add_prefix(first).value();
  const PrefixId b = engine_->add_prefix(second).value();
  const PrefixId ab = engine_->add_prefix(joined).value();
  EXPECT_EQ(rows({{a, b}}), rows({{ab}}));
  EXPECT_NE(rows({{a, b}}), rows({{b, a}}));
}

TEST_F(TinyEngine, RemovingAPrefixRestoresTheOther) {
  const PrefixId a = add(letters(7, 1));
  const Logits before = rows({{a}});
  const Logits bare = rows({});
  const PrefixId b = add(letters(12, 5));
  EXPECT_NE(rows({{b, a}, Compose::kParallel}), before);
  ASSERT_TRUE(engine_->remove_prefix(b).ok());
  EXPECT_EQ(rows({{a}}), before);
  EXPECT_EQ(rows({}), bare);
  EXPECT_EQ(engine_->remove_prefix(b).error().kind, ErrorKind::kNotFound);
  ScoreRequest gone{prompt_, text_, {{b}}};
  EXPECT_EQ(engine_->score({&gone, 1}).error().kind, ErrorKind::kNotFound);
  EXPECT_NE(add(letters(3)), b);  // ids are never used again
}

TEST_F(TinyEngine, LongPrefixesAreDecodedInSeveralBatches) {
  EngineOptions options = exact_options();
  options.cache_tokens = 2048;
  const auto engine = make_engine(tiny_model(), options);
  const Tokens tokens = letters(700);
  const PrefixId id = engine->add_prefix(tiny_model().embed(tokens).value()).value();
  Tokens whole = tokens;
  whole.insert(whole.end(), prompt_.begin(), prompt_.end());
  EngineOptions wide = options;
  wide.context = 1024;
  const auto plain = make_engine(tiny_model(), wide);
  EXPECT_LE(difference(logits_of(*engine, {{prompt_, text_, {{id}}}}).at(0),
                       logits_of(*plain, {{whole, text_, {}}}).at(0)),
            1e-4f);
}

TEST_F(TinyEngine, RefusesRowsOfAnotherModel) {
  EXPECT_EQ(engine_->add_prefix({2, 576, std::vector<float>(2 * 576)}).error().kind,
            ErrorKind::kMismatch);
  EXPECT_EQ(engine_->add_prefix({0, 64, {}}).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(engine_->add_prefix({2, 64, {}}).error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(TinyEngine, RefusesOnePrefixTwiceInParallel) {
  const PrefixId a = add(letters(3));
  ScoreRequest twice{prompt_, text_, {{a, a}, Compose::kParallel}};
  EXPECT_EQ(engine_->score({&twice, 1}).error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(TinyEngine, RunsOutOfSequencesWithAnError) {
  Status status;
  for (int i = 0; i < 300 && status.ok(); ++i) {
    const auto added = engine_->add_prefix(tiny_model().embed(letters(1)).value());
    if (!added.ok()) status = added.error();
  }
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kLimit);
}

TEST_F(TinyEngine, RefusesMoreStacksThanOneRunCanHold) {
  std::vector<ScoreRequest> requests;
  for (int i = 0; i < 100; ++i) requests.push_back({prompt_, text_, {{add(letters(2))}}});
  EXPECT_EQ(engine_->score(requests).error().kind, ErrorKind::kLimit);
  EXPECT_TRUE(engine_->score(std::span(requests).first(20)).ok());
}

// --- Batches ----------------------------------------------------------------------------------

TEST_F(TinyEngine, ABatchGivesWhatEachRequestGivesAlone) {
  const PrefixId a = add(letters(7, 1)), b = add(letters(12, 5));
  const std::vector<Stack> stacks{{}, {{a}}, {{a, b}}, {{b, a}, Compose::kParallel}};
  std::vector<ScoreRequest> requests;
  for (std::size_t i = 0; i < 24; ++i) {
    // Some prompts begin alike, some are equal to their neighbour, one is long.
    Tokens prompt = letters(5, 2);
    const Tokens own = letters(i == 13 ? 120 : 1 + i % 9, i / 2);
    prompt.insert(prompt.end(), own.begin(), own.end());
    requests.push_back({std::move(prompt), letters(1 + i % 5, i), stacks[i / 2 % 4]});
  }
  requests[5].continuation.clear();
  const std::vector<Logits> together = logits_of(*engine_, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Logits alone = logits_of(*engine_, {requests[i]}).at(0);
    ASSERT_EQ(together[i].size(), requests[i].continuation.size());
    // F32 throughout: only the order of sums differs.
    EXPECT_LE(difference(together[i], alone), 1e-4f) << i;
  }
}

TEST_F(TinyEngine, RequestsWithDifferentStacksGenerateWhatTheyDoAlone) {
  const PrefixId a = add(letters(7, 1)), b = add(letters(12, 5));
  const std::vector<Stack> stacks{{}, {{a}}, {{b}}, {{a, b}}, {{a, b}, Compose::kParallel}};
  std::vector<GenerateRequest> requests;
  for (std::size_t i = 0; i < 20; ++i) {
    requests.push_back(request(letters(2 + i % 6, i), 3 + static_cast<int>(i % 8), stacks[i % 5]));
  }
  const auto together = generate(*engine_, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(together[i].tokens, generate(*engine_, {requests[i]}).at(0).tokens) << i;
  }
}

// Quantised activations make a real model's logits depend on the batch by some tenths, so this one
// asks for a text of which the model is sure.
TEST(Engine, DifferentPatchesShareABatchOnARealModel) {
  const auto engine = make_engine(smollm2(), small_options());
  const Tokens rows = tokens_of(smollm2(), "The alphabet: ");
  const PrefixId id = engine->add_prefix(smollm2().embed(rows).value()).value();
  const Tokens prompt = tokens_of(smollm2(), "A, B, C, D, E, F, G, H,");
  const auto both = generate(*engine, {request(prompt, 4), request(prompt, 4, {{id}})});
  EXPECT_EQ(both[0].text, " I, J,");
  EXPECT_EQ(both[1].text, " I, J,");
  EXPECT_EQ(generate(*engine, {request(prompt, 4)}).at(0).text, " I, J,");
  EXPECT_EQ(generate(*engine, {request(prompt, 4, {{id}})}).at(0).text, " I, J,");
}

TEST_F(TinyEngine, GreedyTakesTheLikeliestTokenEachTime) {
  const Completion answer = generate(*engine_, {request(prompt_, 6)}).at(0);
  ASSERT_FALSE(answer.tokens.empty());
  const Logits rows = logits_of(*engine_, {{prompt_, answer.tokens, {}}}).at(0);
  for (std::size_t i = 0; i < answer.tokens.size(); ++i) {
    Token best = -1;
    for (Token id = 0; id < static_cast<Token>(rows[i].size()); ++id) {
      const auto& suppressed = tiny_model().suppressed();
      if (std::binary_search(suppressed.begin(), suppressed.end(), id)) continue;
      const auto at = [&](Token token) { return rows[i][static_cast<std::size_t>(token)]; };
      if (best < 0 || at(id) > at(best)) best = id;
    }
    EXPECT_EQ(answer.tokens[i], best) << i;
  }
}

TEST_F(TinyEngine, ScoresAreTheLogSoftmaxOfTheLogits) {
  const ScoreRequest wanted{prompt_, text_, {}};
  const std::vector<float> scores = engine_->score({&wanted, 1}).value().at(0);
  const Logits rows = logits_of(*engine_, {wanted}).at(0);
  ASSERT_EQ(scores.size(), text_.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    double total = 0;
    for (const float logit : rows[i]) total += std::exp(static_cast<double>(logit));
    const double expected = rows[i][static_cast<std::size_t>(text_[i])] - std::log(total);
    EXPECT_NEAR(scores[i], expected, 1e-5);
  }
}

TEST_F(TinyEngine, EqualRequestsGiveEqualBits) {
  const PrefixId a = add(letters(7, 1));
  std::vector<ScoreRequest> requests;
  for (std::size_t i = 0; i < 12; ++i) {
    requests.push_back({letters(3 + i, i), letters(3, i), i % 2 == 0 ? Stack{} : Stack{{a}}});
  }
  const auto first = logits_of(*engine_, requests);
  rows({{a}});  // whatever ran in between
  EXPECT_EQ(logits_of(*engine_, requests), first);
  const auto other = make_engine(tiny_model(), exact_options());
  ASSERT_EQ(other->add_prefix(tiny_model().embed(letters(7, 1)).value()).value(), a);
  EXPECT_EQ(logits_of(*other, requests), first);
}

TEST_F(TinyEngine, DecodesASharedPromptOnce) {
  std::vector<GenerateRequest> requests;
  for (std::uint32_t sample = 0; sample < 5; ++sample) {
    requests.push_back(request(prompt_, 3));
    requests.back().sampling.temperature = 1;
    requests.back().sampling.sample = sample;
  }
  generate(*engine_, requests);
  EXPECT_EQ(engine_->stats().prompt_tokens, prompt_.size());
}

TEST_F(TinyEngine, DecodesASharedBeginningOnce) {
  std::vector<GenerateRequest> requests;
  for (std::size_t i = 0; i < 10; ++i) {
    Tokens prompt = letters(50, 2);
    prompt.push_back(static_cast<Token>(260 + i));
    requests.push_back(request(prompt, 2));
  }
  generate(*engine_, requests);
  EXPECT_EQ(engine_->stats().prompt_tokens, 60u);
}

TEST_F(TinyEngine, OneOtherOpeningDoesNotTakeTheSharedOneFromTheRest) {
  std::vector<GenerateRequest> requests;
  for (std::size_t i = 0; i < 10; ++i) {
    Tokens prompt = letters(50, i == 4 ? 3 : 2);
    prompt.push_back(static_cast<Token>(260 + i));
    requests.push_back(request(prompt, 2));
  }
  const auto completions = generate(*engine_, requests);
  EXPECT_EQ(engine_->stats().prompt_tokens, 50u + 9u + 51u);
  const auto alone = make_engine(tiny_model(), exact_options());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(completions[i].tokens, generate(*alone, {requests[i]}).at(0).tokens) << i;
  }
}

TEST_F(TinyEngine, AdmitsMoreRequestsThanTheCacheHoldsAtOnce) {
  EngineOptions options = exact_options();
  options.cache_tokens = 256;
  const auto tight = make_engine(tiny_model(), options);
  std::vector<GenerateRequest> requests;
  for (std::size_t i = 0; i < 12; ++i) requests.push_back(request(letters(60, i), 20));
  const auto completions = generate(*tight, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(completions[i].tokens, generate(*engine_, {requests[i]}).at(0).tokens) << i;
  }
}

// --- Sampling ---------------------------------------------------------------------------------

GenerateRequest sampled(Tokens prompt, std::uint64_t seed, std::uint32_t sample) {
  GenerateRequest made = request(std::move(prompt), 12);
  made.sampling.temperature = 1.2f;
  made.sampling.top_p = 0.95f;
  made.sampling.seed = seed;
  made.sampling.sample = sample;
  return made;
}

TEST_F(TinyEngine, TheSameSeedGivesTheSameText) {
  const auto first = generate(*engine_, {sampled(prompt_, 5, 0), sampled(prompt_, 5, 1)});
  const auto again = generate(*engine_, {sampled(prompt_, 5, 0), sampled(prompt_, 5, 1)});
  const auto other = generate(*engine_, {sampled(prompt_, 6, 0)});
  EXPECT_EQ(first[0].tokens, again[0].tokens);
  EXPECT_EQ(first[1].tokens, again[1].tokens);
  EXPECT_NE(first[0].tokens, first[1].tokens);
  EXPECT_NE(first[0].tokens, other[0].tokens);
}

TEST_F(TinyEngine, ASampleDoesNotDependOnItsNeighbours) {
  std::vector<GenerateRequest> requests;
  for (std::uint32_t i = 0; i < 10; ++i) requests.push_back(sampled(letters(6, i), 5, i));
  const auto together = generate(*engine_, requests);
  for (const std::size_t i : {0, 3, 9}) {
    EXPECT_EQ(together[i].tokens, generate(*engine_, {requests[i]}).at(0).tokens) << i;
  }
}

TEST_F(TinyEngine, TheRandomKeyStandsForThePrompt) {
  GenerateRequest keyed = sampled(prompt_, 5, 0);
  keyed.random_key = "other";
  EXPECT_NE(generate(*engine_, {keyed}).at(0).tokens,
            generate(*engine_, {sampled(prompt_, 5, 0)}).at(0).tokens);
}

// --- Ends and limits --------------------------------------------------------------------------

TEST(Engine, StopsAtTheEndOfAnAnswer) {
  const auto engine = make_engine(smollm2(), small_options());
  const auto completions =
      generate(*engine, {request(chat("Say only the word yes."), 100), request(chat("Hi"), 3)});
  EXPECT_EQ(completions[0].finish, FinishReason::kEnd);
  EXPECT_EQ(completions[0].text.find("<|im_end|>"), std::string::npos);
  EXPECT_EQ(completions[0].text, smollm2().text(completions[0].tokens));
  EXPECT_EQ(completions[1].finish, FinishReason::kLength);
  EXPECT_EQ(completions[1].tokens.size(), 3u);
}

TEST_F(TinyEngine, StreamsTheTextItReturns) {
  std::map<std::size_t, std::string> streamed;
  const std::vector<GenerateRequest> requests{request(letters(4), 9), request(letters(5), 7)};
  const auto completions =
      engine_->generate(requests, nullptr, {}, [&](std::size_t i, std::string_view text) {
        streamed[i] += text;
        return true;
      });
  ASSERT_TRUE(completions.ok());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(streamed[i], completions->at(i).text);
  }
}

TEST_F(TinyEngine, EndsARequestWhoseListenerHasHeardEnough) {
  const std::vector<GenerateRequest> requests{request(letters(4), 9), request(letters(5), 7)};
  const auto completions = engine_->generate(
      requests, nullptr, {}, [](std::size_t i, std::string_view) { return i != 0; });
  ASSERT_TRUE(completions.ok());
  EXPECT_EQ(completions->at(0).finish, FinishReason::kCancelled);
  EXPECT_LT(completions->at(0).tokens.size(), 9u);
  EXPECT_EQ(completions->at(1).tokens, generate(*engine_, {requests[1]}).at(0).tokens);
}

TEST_F(TinyEngine, CountsProgressInRequests) {
  std::vector<std::uint64_t> seen;
  const std::vector<GenerateRequest> requests{request(letters(4), 2), request(letters(5), 2)};
  ASSERT_TRUE(engine_
                  ->generate(requests, nullptr,
                             [&](std::uint64_t done, std::uint64_t total, const std::string&) {
                               EXPECT_EQ(total, 2u);
                               seen.push_back(done);
                             })
                  .ok());
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(TinyEngine, CanBeUsedAfterACancelledRun) {
  const auto before = generate(*engine_, {request(prompt_, 6)}).at(0).tokens;
  std::vector<GenerateRequest> requests;
  for (std::size_t i = 0; i < 10; ++i) requests.push_back(request(letters(6, i), 30));
  CancelFlag cancel;
  int pieces = 0;
  const auto cancelled =
      engine_->generate(requests, &cancel, {}, [&](std::size_t, std::string_view) {
        if (++pieces == 25) cancel.raise();
        return true;
      });
  ASSERT_FALSE(cancelled.ok());
  EXPECT_EQ(cancelled.error().kind, ErrorKind::kCancelled);
  EXPECT_EQ(generate(*engine_, {request(prompt_, 6)}).at(0).tokens, before);
}

TEST_F(TinyEngine, RefusesARequestLongerThanTheContext) {
  const std::vector<GenerateRequest> requests{request(letters(3), 5), request(letters(256), 5)};
  const auto completions = engine_->generate(requests);
  ASSERT_FALSE(completions.ok());
  EXPECT_EQ(completions.error().kind, ErrorKind::kLimit);
  EXPECT_NE(completions.error().message.find("request 2"), std::string::npos);
  ScoreRequest text{letters(200), letters(57), {}};
  EXPECT_EQ(engine_->score({&text, 1}).error().kind, ErrorKind::kLimit);
}

TEST_F(TinyEngine, EndsAnAnswerWhereTheContextEnds) {
  const Completion answer = generate(*engine_, {request(letters(250), 100)}).at(0);
  EXPECT_LE(answer.tokens.size(), 6u);
}

TEST_F(TinyEngine, RefusesRequestsThatMakeNoSense) {
  for (const GenerateRequest& bad :
       {request({}, 5), request(letters(3), 0), request({-1}, 5), request({100000}, 5)}) {
    EXPECT_EQ(engine_->generate({&bad, 1}).error().kind, ErrorKind::kInvalidArgument);
  }
  ScoreRequest unknown{letters(3), {100000}, {}};
  EXPECT_EQ(engine_->score({&unknown, 1}).error().kind, ErrorKind::kInvalidArgument);
}

TEST(Engine, RunsNothing) {
  const auto engine = make_engine(tiny_model(), exact_options());
  EXPECT_TRUE(engine->generate({}).value().empty());
  EXPECT_TRUE(engine->score({}).value().empty());
}

TEST(Engine, RefusesACacheThatDoesNotFitTheMemory) {
  EngineOptions options;
  options.cache_tokens = 1 << 30;
  const auto engine = Engine::create(smollm2(), options);
  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.error().kind, ErrorKind::kLimit);
  EXPECT_NE(engine.error().message.find("MiB"), std::string::npos);
}

TEST(Engine, RefusesOptionsOutOfRange) {
  for (const auto& change : std::vector<std::function<void(EngineOptions&)>>{
           [](EngineOptions& options) { options.max_concurrent = 0; },
           [](EngineOptions& options) { options.max_concurrent = 1000; },
           [](EngineOptions& options) { options.context = -1; }}) {
    EngineOptions options;
    change(options);
    EXPECT_EQ(Engine::create(tiny_model(), options).error().kind, ErrorKind::kInvalidArgument);
  }
}

TEST(Compose, IsNamed) {
  EXPECT_EQ(parse_compose("sequential").value(), Compose::kSequential);
  EXPECT_EQ(parse_compose("parallel").value(), Compose::kParallel);
  EXPECT_EQ(parse_compose("joint").error().kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace llmpatch
