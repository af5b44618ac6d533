#include "runtime/serving_engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <future>
#include <iterator>
#include <thread>

#include "runtime/prompt.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

using Clock = std::chrono::steady_clock;

// What a request's sink was told.
struct Answer {
  std::string text;
  Tokens tokens;
  std::vector<TokenLogprob> logprobs;
  std::size_t chunks = 0;
  ServingResult result;
};

// A submitted request; get() waits for its end.
class Pending {
 public:
  Answer get() { return future_.get(); }

  ServingSink sink() {
    auto heard = std::make_shared<std::pair<Answer, std::promise<Answer>>>();
    future_ = heard->second.get_future();
    ServingSink sink;
    sink.on_chunk = [heard](const ServingChunk& chunk) {
      Answer& answer = heard->first;
      ++answer.chunks;
      answer.text += chunk.text;
      for (const TokenLogprob& logprob : chunk.logprobs) {
        answer.tokens.push_back(logprob.token);
        answer.logprobs.push_back(logprob);
      }
    };
    sink.on_end = [heard](const ServingResult& result) {
      heard->first.result = result;
      heard->second.set_value(heard->first);
    };
    return sink;
  }

  RequestId id = 0;

 private:
  std::future<Answer> future_;
};

std::unique_ptr<ServingEngine> make_serving(const Model& model, const ServingOptions& options) {
  auto engine = ServingEngine::create(model, options);
  if (!engine.ok()) {
    ADD_FAILURE() << engine.error().to_string();
    std::exit(1);
  }
  return std::move(engine).value();
}

Pending submit(ServingEngine& engine, const ServingRequest& request) {
  Pending pending;
  auto id = engine.submit(request, pending.sink());
  EXPECT_TRUE(id.ok()) << id.error().to_string();
  pending.id = id.value();
  return pending;
}

Answer serve(ServingEngine& engine, const ServingRequest& request) {
  return submit(engine, request).get();
}

ServingRequest serving(Tokens prompt, int max_tokens, Stack stack = {}) {
  ServingRequest made;
  made.prompt = std::move(prompt);
  made.max_tokens = max_tokens;
  made.stack = std::move(stack);
  made.logprobs = 0;
  return made;
}

GenerateRequest solo(const ServingRequest& request) {
  GenerateRequest made;
  made.prompt = request.prompt;
  made.stack = request.stack;
  made.sampling = request.sampling.base;
  made.max_tokens = request.max_tokens;
  made.random_key = request.random_key;
  return made;
}

Completion solo_answer(Engine& engine, const ServingRequest& request) {
  const GenerateRequest made = solo(request);
  return engine.generate({&made, 1}).value().at(0);
}

// Equal answers, but for what follows a token where the engine's own logits of the two candidates
// are nearly equal.
void expect_same_answer(Engine& engine, const ServingRequest& request, const Answer& answer,
                        float near_tie) {
  const Completion expected = solo_answer(engine, request);
  const auto split = std::mismatch(expected.tokens.begin(), expected.tokens.end(),
                                   answer.tokens.begin(), answer.tokens.end());
  if (split.first == expected.tokens.end() && split.second == answer.tokens.end()) {
    EXPECT_EQ(answer.text, expected.text);
    return;
  }
  const auto candidate = [&](auto at, const Tokens& tokens) {
    return at == tokens.end() ? engine.model().end_token() : *at;
  };
  const Token ours = candidate(split.second, answer.tokens);
  const Token theirs = candidate(split.first, expected.tokens);
  ScoreRequest score{request.prompt, Tokens(expected.tokens.begin(), split.first), request.stack};
  score.continuation.push_back(theirs);
  const std::size_t last = score.continuation.size() - 1;
  float gap = 0;
  const Status status = engine.logits(
      {&score, 1}, [&](std::size_t, std::size_t position, std::span<const float> logits) {
        if (position != last) return;
        gap = logits[static_cast<std::size_t>(theirs)] - logits[static_cast<std::size_t>(ours)];
      });
  ASSERT_TRUE(status.ok());
  EXPECT_LE(std::abs(gap), near_tie) << "token " << last << ": " << ours << " for " << theirs;
}

ServingOptions exact_options() {
  ServingOptions options;
  options.exact = true;
  options.threads = 1;
  options.context = 256;
  options.max_concurrent = 8;
  return options;
}

// The tiny model in F32: a batch's shape changes nothing but the order of sums. Both layouts of the
// cache.
class TinyServing : public ::testing::TestWithParam<CacheLayout> {
 protected:
  TinyServing() {
    ServingOptions serving_options = exact_options();
    serving_options.layout = GetParam();
    serving_ = make_serving(tiny_model(), serving_options);
    EngineOptions options;
    options.exact = true;
    options.threads = 1;
    options.context = 256;
    engine_ = make_engine(tiny_model(), options);
    for (std::size_t i = 0; i < 3; ++i) {
      const Rows rows = tiny_model().embed(letters(5 + 3 * i, i)).value();
      const PrefixId id = engine_->add_prefix(rows).value();
      EXPECT_EQ(serving_->add_prefix(rows).value(), id);
      ids_.push_back(id);
    }
  }

  std::unique_ptr<ServingEngine> serving_;
  std::unique_ptr<Engine> engine_;
  std::vector<PrefixId> ids_;
};
INSTANTIATE_TEST_SUITE_P(Layouts, TinyServing,
                         ::testing::Values(CacheLayout::kUnified, CacheLayout::kSplit),
                         [](const auto& layout) {
                           return layout.param == CacheLayout::kSplit ? "Split" : "Unified";
                         });

// --- The same answers as Engine ---------------------------------------------------------------

TEST_P(TinyServing, ManyRequestsBehindManyStacksAnswerAsTheyDoAlone) {
  const auto [a, b, c] = std::tuple(ids_[0], ids_[1], ids_[2]);
  const std::vector<Stack> stacks{
      {}, {{a}}, {{b, a}}, {{a, b}}, {{a, b}, Compose::kParallel}, {{c, b, a}, Compose::kParallel}};
  std::vector<ServingRequest> requests;
  std::vector<Pending> pending;
  for (std::size_t i = 0; i < 36; ++i) {
    requests.push_back(serving(letters(2 + i * 5 % 40, i % 5), 3 + static_cast<int>(i % 9),
                               stacks[i % stacks.size()]));
    pending.push_back(submit(*serving_, requests.back()));
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    SCOPED_TRACE(i);
    expect_same_answer(*engine_, requests[i], pending[i].get(), 1e-3f);
  }
}

TEST_P(TinyServing, SampledRequestsDrawWhatEngineDraws) {
  for (std::uint32_t i = 0; i < 6; ++i) {
    ServingRequest request = serving(letters(9, i), 12, i % 2 == 0 ? Stack{} : Stack{{ids_[0]}});
    request.sampling.base = {1.1f, i % 3 == 0 ? 1.0f : 0.9f, i % 2 == 0 ? 0 : 40, 7, i};
    if (i == 5) request.random_key = "a key";
    const Answer answer = serve(*serving_, request);
    EXPECT_EQ(answer.tokens, solo_answer(*engine_, request).tokens) << i;
  }
}

TEST(ServingEngine, AnswersAsEngineDoesOnARealModel) {
  ServingOptions options;
  options.layout = CacheLayout::kSplit;  // the tiny model has both
  options.threads = 1;
  options.context = 512;
  options.max_concurrent = 4;
  const auto serving_engine = make_serving(smollm2(), options);
  EngineOptions plain;
  plain.threads = 1;
  plain.context = 512;
  const auto engine = make_engine(smollm2(), plain);
  std::vector<PrefixId> ids;
  for (const char* text : {"You answer in French. ", "Be brief and kind to everyone. "}) {
    const Rows rows = smollm2().embed(tokens_of(smollm2(), text)).value();
    ids.push_back(engine->add_prefix(rows).value());
    EXPECT_EQ(serving_engine->add_prefix(rows).value(), ids.back());
  }
  Prompt prompt;
  prompt.messages = {{"user", "Name three colours and say where one sees them."}};
  const Tokens tokens = encode_prompt(smollm2(), prompt, PromptFormat::kChat).value();
  for (const Stack& stack :
       {Stack{}, Stack{{ids[0]}}, Stack{ids}, Stack{ids, Compose::kParallel}}) {
    const ServingRequest request = serving(tokens, 24, stack);
    expect_same_answer(*engine, request, serve(*serving_engine, request), 1e-2f);
  }
}

// Rolling back and copying part of a sequence must be exact behind a sliding window, too.
TEST(ServingEngine, ReusesPromptsOfASlidingWindowModel) {
  ServingOptions options;
  options.threads = 1;
  options.context = 1024;
  options.max_concurrent = 2;
  const std::string words = "The sun rose over the hills and the river ran cold and clear. ";
  std::string text;
  for (int i = 0; i < 45; ++i) text += words;  // longer than the window of 512
  Tokens prompt = gemma3().bos();
  for (const Token token : tokens_of(gemma3(), text)) prompt.push_back(token);
  ASSERT_GT(prompt.size(), 600u);
  Tokens other = prompt;
  for (const Token token : tokens_of(gemma3(), "Then night fell")) other.push_back(token);
  for (const CacheLayout layout : {CacheLayout::kUnified, CacheLayout::kSplit}) {
    options.layout = layout;
    const auto engine = make_serving(gemma3(), options);
    const Answer fresh = serve(*engine, serving(other, 8));
    EXPECT_EQ(fresh.result.usage.cached_tokens, 0);
    serve(*engine, serving(prompt, 8));
    const Answer reused = serve(*engine, serving(other, 8));
    EXPECT_GT(reused.result.usage.cached_tokens, 600);
    EXPECT_EQ(reused.text, fresh.text);
  }
}

// --- Reuse ------------------------------------------------------------------------------------

TEST_P(TinyServing, ASecondRequestReusesThePromptOfTheFirst) {
  const ServingRequest request = serving(letters(50), 6, {{ids_[0]}});
  const Answer first = serve(*serving_, request);
  const Answer second = serve(*serving_, request);
  EXPECT_EQ(first.result.usage.cached_tokens, 0);
  EXPECT_EQ(second.result.usage.cached_tokens, 49);
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_EQ(second.result.usage.prefix_rows, 5);
  EXPECT_EQ(second.result.usage.prompt_tokens, 50);
  const Answer other = serve(*serving_, serving(letters(50), 6));
  EXPECT_EQ(other.result.usage.cached_tokens, 0);
  expect_same_answer(*engine_, serving(letters(50), 6), other, 1e-3f);
}

// --- Sampling, stops, log-probabilities -------------------------------------------------------

TEST(ServingEngine, AGrammarForcesItsForm) {
  ServingOptions options;
  options.threads = 1;
  options.context = 256;
  options.max_concurrent = 4;
  const auto engine = make_serving(smollm2(), options);
  for (const float temperature : {0.0f, 1.0f}) {
    ServingRequest request =
        serving(tokens_of(smollm2(), "The capital of France is Paris. As JSON: "), 40);
    request.sampling.base.temperature = temperature;
    request.sampling.grammar =
        "root ::= \"{\\\"city\\\": \\\"\" [A-Z] [a-z]{2,8} \"\\\", \\\"size\\\": \" [1-9] "
        "[0-9]{0,3} "
        "\"}\"";
    const Answer answer = serve(*engine, request);
    EXPECT_EQ(answer.result.end, ServingEnd::kStop) << answer.text;
    EXPECT_EQ(answer.text.rfind("{\"city\": \"", 0), 0u) << answer.text;
    EXPECT_EQ(answer.text.back(), '}') << answer.text;
  }
}

TEST_P(TinyServing, AStopTextEndsTheAnswerAndIsNotPartOfIt) {
  ServingRequest request = serving(letters(8), 40);
  request.sampling.grammar = "root ::= \"abcdefghijklmnop\"";
  request.stop = {"zz", "hijk"};
  const Answer answer = serve(*serving_, request);
  EXPECT_EQ(answer.text, "abcdefg");
  EXPECT_EQ(answer.result.end, ServingEnd::kStop);
  EXPECT_EQ(answer.tokens.size(), 7u);
  EXPECT_EQ(answer.result.usage.completion_tokens, 11);
  request.stop = {"q", "opq"};
  EXPECT_EQ(serve(*serving_, request).text, "abcdefghijklmnop");
}

TEST_P(TinyServing, LogProbabilitiesAreThoseOfTheModel) {
  ServingRequest request = serving(letters(12), 5);
  request.logprobs = 20;
  request.sampling.logit_bias = {{260, 50.0f}};  // what is chosen changes, what is reported not
  const Answer answer = serve(*serving_, request);
  ASSERT_EQ(answer.tokens, Tokens(5, 260));
  const ScoreRequest score{request.prompt, answer.tokens, {}};
  const std::vector<float> expected = engine_->score({&score, 1}).value().at(0);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(answer.logprobs[i].logprob, expected[i], 1e-4f);
    ASSERT_EQ(answer.logprobs[i].top.size(), 20u);
    double total = 0;
    for (std::size_t j = 0; j < 20; ++j) {
      total += std::exp(answer.logprobs[i].top[j].second);
      const std::size_t before = j == 0 ? 0 : j - 1;
      EXPECT_LE(answer.logprobs[i].top[j].second, answer.logprobs[i].top[before].second);
    }
    EXPECT_LT(total, 1.0);
  }
  request.logprobs = -1;
  EXPECT_TRUE(serve(*serving_, request).logprobs.empty());
}

// --- Cancelling, deadlines, limits ------------------------------------------------------------

// Requests whose answers do not end by themselves.
ServingRequest endless(std::size_t start = 0) {
  ServingRequest request = serving(letters(6, start), 0);
  request.sampling.grammar = "root ::= [a-z] root";
  return request;
}

TEST_P(TinyServing, CancelledRequestsAreToldSo) {
  ServingOptions options = exact_options();
  options.max_concurrent = 1;
  const auto engine = make_serving(tiny_model(), options);
  Pending running = submit(*engine, endless()), waiting = submit(*engine, endless());
  engine->cancel(987654);
  engine->cancel(waiting.id);
  EXPECT_EQ(waiting.get().result.end, ServingEnd::kCancelled);
  engine->cancel(running.id);
  // Its 250 tokens may have come first.
  const ServingEnd end = running.get().result.end;
  EXPECT_TRUE(end == ServingEnd::kCancelled || end == ServingEnd::kLength);
  EXPECT_EQ(serve(*engine, serving(letters(3), 2)).result.end, ServingEnd::kLength);
}

TEST_P(TinyServing, ASinkMayCancelItsOwnRequest) {
  Pending pending;
  ServingSink sink = pending.sink();
  std::atomic<RequestId> id = 0;
  std::size_t chunks = 0;
  const auto inner = sink.on_chunk;
  sink.on_chunk = [&](const ServingChunk& chunk) {
    while (id == 0) std::this_thread::yield();
    if (++chunks == 3) serving_->cancel(id);
    inner(chunk);
  };
  id = serving_->submit(endless(), sink).value();
  const Answer answer = pending.get();
  EXPECT_EQ(answer.result.end, ServingEnd::kCancelled);
  EXPECT_EQ(answer.chunks, 3u);
}

TEST_P(TinyServing, AnswersEndAtTheirDeadline) {
  ServingRequest late = endless();
  late.deadline = Clock::now();
  EXPECT_EQ(serve(*serving_, late).result.end, ServingEnd::kDeadline);
}

TEST_P(TinyServing, AFullQueueRefuses) {
  ServingOptions options = exact_options();
  options.max_concurrent = 1;
  options.max_queue = 2;
  const auto engine = make_serving(tiny_model(), options);
  // Holds the first request in its sink, so that it cannot end meanwhile.
  std::promise<void> go;
  const std::shared_future<void> may_go = go.get_future().share();
  Pending held;
  ServingSink sink = held.sink();
  const auto inner = sink.on_chunk;
  sink.on_chunk = [&inner, may_go](const ServingChunk& chunk) {
    may_go.wait();
    inner(chunk);
  };
  ASSERT_TRUE(engine->submit(serving(letters(3), 2), sink).ok());
  std::vector<Pending> waiting;
  for (int i = 0; i < 2; ++i) waiting.push_back(submit(*engine, serving(letters(4), 2)));
  const auto refused = engine->submit(serving(letters(5), 2), {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kLimit);
  go.set_value();
  held.get();
  for (Pending& pending : waiting) pending.get();
  EXPECT_EQ(serve(*engine, serving(letters(5), 2)).result.end, ServingEnd::kLength);
}

TEST_P(TinyServing, RefusesWhatMakesNoSense) {
  const auto refusal = [&](const std::function<void(ServingRequest&)>& change) {
    ServingRequest request = serving(letters(4), 3);
    change(request);
    const auto id = serving_->submit(request, {});
    return id.ok() ? std::nullopt : std::optional(id.error().kind);
  };
  EXPECT_EQ(refusal([](ServingRequest&) {}), std::nullopt);
  const float nan = std::nanf("");
  for (const auto& change : std::vector<std::function<void(ServingRequest&)>>{
           [](ServingRequest& request) { request.prompt.clear(); },
           [](ServingRequest& request) { request.prompt[0] = -1; },
           [](ServingRequest& request) { request.prompt[1] = 300; },
           [](ServingRequest& request) { request.prompt = letters(256); },
           [](ServingRequest& request) { request.max_tokens = -1; },
           [](ServingRequest& request) { request.logprobs = 21; },
           [](ServingRequest& request) { request.logprobs = -2; },
           [](ServingRequest& request) { request.stop = {""}; },
           [](ServingRequest& request) { request.stop = {std::string(1025, 'x')}; },
           [](ServingRequest& request) { request.stop.assign(65, "x"); },
           [](ServingRequest& request) { request.sampling.grammar = "root ::= other"; },
           [](ServingRequest& request) {
             request.sampling.logit_bias = {{300, 1.0f}};
           },
           [&](ServingRequest& request) {
             request.sampling.logit_bias = {{1, nan}};
           },
           [&](ServingRequest& request) { request.sampling.base.temperature = nan; },
           [](ServingRequest& request) { request.sampling.base.temperature = -1; },
           [](ServingRequest& request) { request.sampling.base.top_p = 1.5f; },
           [](ServingRequest& request) { request.sampling.base.top_k = -1; },
           [](ServingRequest& request) { request.sampling.min_p = -0.1f; },
           [&](ServingRequest& request) { request.sampling.presence_penalty = nan; },
           [&](ServingRequest& request) {
             request.stack = {{ids_[0], ids_[0]}, Compose::kParallel};
           },
       }) {
    EXPECT_EQ(refusal(change), ErrorKind::kInvalidArgument);
  }
  EXPECT_EQ(refusal([](ServingRequest& request) { request.stack = {{77}}; }), ErrorKind::kNotFound);
  EXPECT_EQ(refusal([&](ServingRequest& request) { request.stack.prefixes.assign(2000, ids_[0]); }),
            ErrorKind::kLimit);
}

TEST_P(TinyServing, AnswersEndWhereContextOrCacheEnd) {
  ServingRequest request = endless();
  const Answer answer = serve(*serving_, request);
  EXPECT_EQ(answer.result.end, ServingEnd::kLength);
  EXPECT_EQ(answer.tokens.size(), 250u);
  ServingOptions options = exact_options();
  options.cache_tokens = 256;
  const auto tight = make_serving(tiny_model(), options);
  const PrefixId id = tight->add_prefix(tiny_model().embed(letters(100)).value()).value();
  request.stack = {{id}};
  // 256 cells less 100 rows and 6 prompt tokens; the last token needs none.
  EXPECT_EQ(serve(*tight, request).tokens.size(), 151u);
}

TEST_P(TinyServing, ARetiredPrefixIsUnknownToNewRequests) {
  const ServingRequest request = serving(letters(9), 20, {{ids_[1]}});
  const Answer before = serve(*serving_, request);
  std::vector<Pending> pending;
  for (int i = 0; i < 12; ++i) pending.push_back(submit(*serving_, request));
  ASSERT_TRUE(serving_->retire_prefix(ids_[1]).ok());
  EXPECT_EQ(serving_->submit(request, {}).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(serving_->retire_prefix(ids_[1]).error().kind, ErrorKind::kNotFound);
  for (Pending& one : pending) EXPECT_EQ(one.get().tokens, before.tokens);
}

TEST_P(TinyServing, RefusesRowsOfAnotherModel) {
  EXPECT_EQ(serving_->add_prefix({2, 576, std::vector<float>(2 * 576)}).error().kind,
            ErrorKind::kMismatch);
  EXPECT_EQ(serving_->add_prefix({0, 64, {}}).error().kind, ErrorKind::kInvalidArgument);
  Status status;
  for (int i = 0; i < 1100 && status.ok(); ++i) {
    const auto added = serving_->add_prefix(tiny_model().embed(letters(1)).value());
    if (!added.ok()) status = added.error();
  }
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kLimit);
}

TEST(ServingEngine, PlansItsMemoryAtStart) {
  ServingOptions options = exact_options();
  options.cache_tokens = 300;
  const auto engine = make_serving(tiny_model(), options);
  EXPECT_EQ(engine->plan().cells, 512);
  EXPECT_EQ(engine->plan().context, 256);
  EXPECT_EQ(engine->plan().threads, 1);
  // 3 layers, 2 heads of 16 for keys and values, in F32.
  EXPECT_EQ(engine->plan().cache_bytes, 512u * 3 * 2 * 2 * 16 * 4);

  options.cache_tokens = 0;
  // 256 for each of 8 at a time, 1,024 for prefixes, and four whole contexts beside them.
  EXPECT_EQ(make_serving(tiny_model(), options)->plan().cells, 8 * 256 + 1024 + 4 * 256);

  options.cache_tokens = 1 << 30;
  const auto refused = ServingEngine::create(tiny_model(), options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kLimit);
  EXPECT_NE(refused.error().message.find("MiB, the system has"), std::string::npos);
}

TEST(ServingEngine, ASplitCacheHasAWholeContextForEveryRequest) {
  ServingOptions options = exact_options();  // 8 requests of 256 tokens
  options.layout = CacheLayout::kSplit;
  const auto engine = make_serving(tiny_model(), options);
  EXPECT_TRUE(engine->plan().split);
  EXPECT_EQ(engine->plan().request_cells, 512);  // with room for a stack
  EXPECT_EQ(engine->plan().cells, 8 * 512);
  EXPECT_EQ(engine->plan().cache_bytes, 8 * 512u * 3 * 2 * 2 * 16 * 4);
  EXPECT_EQ(engine->plan().context, 256);

  options.cache_tokens = 8 * 100;
  const auto small = make_serving(tiny_model(), options);
  EXPECT_EQ(small->plan().cells, 8 * 256);  // multiples of 256

  options.layout = CacheLayout::kAuto;  // a given size is for all
  EXPECT_FALSE(make_serving(tiny_model(), options)->plan().split);
  options.cache_tokens = 0;
  EXPECT_TRUE(make_serving(tiny_model(), options)->plan().split);
  options.context = 1 << 24;  // 8 of these are too much
  options.layout = CacheLayout::kSplit;
  EXPECT_EQ(ServingEngine::create(tiny_model(), options).error().kind, ErrorKind::kLimit);
}

std::ptrdiff_t threads_of_this_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

TEST(ServingEngine, StartsNoThreadButTheOneThatDecodes) {
  ServingOptions options = exact_options();
  options.layout = CacheLayout::kSplit;
  options.threads = 2;
  const Model& model = tiny_model();
  const std::ptrdiff_t before = threads_of_this_process();
  const auto engine = make_serving(model, options);
  // A thread that has ended is seen for a moment longer.
  for (int i = 0; i < 500 && threads_of_this_process() != before + 1; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(threads_of_this_process(), before + 1);
}

TEST(ServingEngine, RefusesOptionsOutOfRange) {
  for (const auto& change : std::vector<std::function<void(ServingOptions&)>>{
           [](ServingOptions& options) { options.max_concurrent = 0; },
           [](ServingOptions& options) { options.max_concurrent = 193; },
           [](ServingOptions& options) { options.max_queue = -1; },
           [](ServingOptions& options) { options.context = -1; },
           [](ServingOptions& options) { options.cache_tokens = -1; },
           [](ServingOptions& options) { options.threads = -1; },
           [](ServingOptions& options) { options.prefill_tokens = 0; }}) {
    ServingOptions options;
    change(options);
    EXPECT_EQ(ServingEngine::create(tiny_model(), options).error().kind,
              ErrorKind::kInvalidArgument);
  }
}

// --- Life -------------------------------------------------------------------------------------

TEST_P(TinyServing, DrainsWhatRunsAndRefusesMore) {
  std::vector<Pending> pending;
  for (std::size_t i = 0; i < 20; ++i)
    pending.push_back(submit(*serving_, serving(letters(5, i), 9)));
  serving_->drain(Clock::time_point::max());
  EXPECT_EQ(serving_->stats().running, 0);
  EXPECT_EQ(serving_->stats().waiting, 0);
  for (Pending& one : pending) {
    const ServingEnd end = one.get().result.end;
    EXPECT_TRUE(end == ServingEnd::kLength || end == ServingEnd::kStop);
  }
  EXPECT_EQ(serving_->submit(serving(letters(5), 1), {}).error().kind, ErrorKind::kLimit);
}

TEST_P(TinyServing, DrainCancelsWhatIsLeftAtItsDeadline) {
  std::vector<Pending> pending;
  for (std::size_t i = 0; i < 20; ++i) pending.push_back(submit(*serving_, endless(i)));
  serving_->drain(Clock::now());
  int cancelled = 0;
  for (Pending& one : pending) {
    cancelled += one.get().result.end == ServingEnd::kCancelled ? 1 : 0;
  }
  EXPECT_GT(cancelled, 0);
}

TEST_P(TinyServing, TheDestructorCancelsWhatRuns) {
  std::vector<Pending> pending;
  for (std::size_t i = 0; i < 20; ++i) pending.push_back(submit(*serving_, endless(i)));
  serving_.reset();
  for (Pending& one : pending) one.get();
}

TEST_P(TinyServing, ServesManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  for (std::size_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 6; ++i) {
        const Rows rows = tiny_model().embed(letters(3, t)).value();
        const PrefixId own = serving_->add_prefix(rows).value();
        const ServingRequest request =
            serving(letters(4 + i, t), 6, i % 2 == 0 ? Stack{{own}} : Stack{{ids_[0], own}});
        Pending first = submit(*serving_, request), second = submit(*serving_, request);
        EXPECT_TRUE(serving_->retire_prefix(own).ok());
        if (i == 3) serving_->cancel(second.id);
        first.get();
        second.get();
        serving_->stats();
        ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 36);
}

TEST_P(TinyServing, CountsWhatItDoes) {
  serve(*serving_, serving(letters(10), 4));
  serve(*serving_, serving(letters(10), 4));
  serving_->drain(Clock::time_point::max());
  const ServingStats stats = serving_->stats();
  EXPECT_EQ(stats.prompt_tokens, 11u);
  EXPECT_EQ(stats.cached_tokens, 9u);
  EXPECT_LE(stats.generated_tokens, 8u);
  EXPECT_GE(stats.batches, 2u);
  EXPECT_GE(stats.used_cells, 10);
}

}  // namespace
}  // namespace llmpatch
