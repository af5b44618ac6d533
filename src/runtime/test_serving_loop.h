// A serving loop that tests drive a batch at a time.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/sequence_pool.h"
#include "runtime/serving_loop.h"
#include "runtime/stream_pool.h"
#include "runtime/test_models.h"

namespace llmpatch {

// What a request's sink was told.
struct Heard {
  Tokens tokens;
  std::string text;
  std::optional<ServingResult> result;
};

// Drives the loop a batch at a time, on the tiny model in F32. Answers never end by themselves: the
// grammar wants letters without end.
class LoopFixture : public ::testing::Test {
 protected:
  static constexpr std::size_t kCells = 512;

  explicit LoopFixture(bool split) : split_(split) {}

  void start(std::size_t max_running = 4, std::size_t prefill_tokens = 16, bool reuse = true) {
    loop_.reset();
    ContextOptions options;
    options.exact = true;
    options.split = split_;
    options.cells = kCells;
    options.sequences = static_cast<std::uint32_t>(split_ ? max_running : max_running + 4 + 4 + 1);
    options.outputs = options.sequences;
    context_ = Context::create(tiny_model().handle(), options).value();
    outside_ = static_cast<llama_seq_id>(options.sequences) - 1;
    if (split_) {
      pool_ = std::make_unique<StreamPool>(*context_, StreamOptions{max_running, 4, 1 << 18, 0});
    } else {
      pool_ = std::make_unique<SequencePool>(*context_, PoolOptions{max_running, 4, 4, kCells});
    }
    loop_ = std::make_unique<ServingLoop>(tiny_model(), *context_, *pool_,
                                          LoopOptions{max_running, prefill_tokens, reuse});
  }

  ServingRequest request(Tokens prompt, int max_tokens, Stack stack = {}) {
    ServingRequest made;
    made.prompt = std::move(prompt);
    made.max_tokens = max_tokens;
    made.stack = std::move(stack);
    made.logprobs = 0;
    made.sampling.grammar = "root ::= [a-z] root";
    return made;
  }

  RequestId add(ServingRequest request) {
    const RequestId id = next_id_++;
    ServingSink sink;
    sink.on_chunk = [this, id](const ServingChunk& chunk) {
      EXPECT_FALSE(heard_[id].result.has_value());
      for (const TokenLogprob& logprob : chunk.logprobs) heard_[id].tokens.push_back(logprob.token);
      heard_[id].text += chunk.text;
    };
    sink.on_end = [this, id](const ServingResult& result) {
      EXPECT_FALSE(heard_[id].result.has_value());
      heard_[id].result = result;
      order_.push_back(id);
    };
    const auto stack = table_.stack(request.stack).value();
    auto job = make_job(std::move(request), std::move(sink), stack, tiny_model(), {256, kCells, 4})
                   .value();
    job->id = id;
    loop_->add(std::move(job));
    return id;
  }

  void run() {
    for (int i = 0; i < 5000 && !loop_->idle(); ++i) loop_->step();
    EXPECT_TRUE(loop_->idle());
  }

  ServingEnd end(RequestId id) {
    EXPECT_TRUE(heard_[id].result.has_value()) << id;
    return heard_[id].result ? heard_[id].result->end : ServingEnd::kFailed;
  }
  int cached(RequestId id) { return heard_.at(id).result.value().usage.cached_tokens; }

  bool split_;
  PrefixTable table_;
  std::unique_ptr<Context> context_;
  llama_seq_id outside_ = 0;  // a sequence that the loop does not use, in a unified cache
  std::unique_ptr<CachePool> pool_;
  std::unique_ptr<ServingLoop> loop_;
  std::map<RequestId, Heard> heard_;
  std::vector<RequestId> order_;  // of endings
  RequestId next_id_ = 1;
};

// Both layouts of the cache: whether it is split.
class ServingLoopTest : public LoopFixture, public ::testing::WithParamInterface<bool> {
 protected:
  ServingLoopTest() : LoopFixture(GetParam()) {}
};
class UnifiedServingLoopTest : public LoopFixture {
 protected:
  UnifiedServingLoopTest() : LoopFixture(false) {}
};

}  // namespace llmpatch
