// Serves requests that arrive at any time: one decode loop on a thread of its own, continuous
// batching over one unified KV cache, requests behind different stacks of prefixes in one batch.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "patch/rows.h"
#include "runtime/engine.h"
#include "runtime/model.h"

namespace llmpatch {

// How tokens of a served request are chosen. In this order: logit bias, penalties, grammar,
// temperature, top-k, top-p, min-p.
struct ServingSampling {
  Sampling base;  // temperature, top_p, top_k, seed, sample
  float min_p = 0;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  std::map<Token, float> logit_bias;
  std::string grammar;  // GBNF with a rule `root`; empty: none
};

struct ServingRequest {
  Tokens prompt;
  Stack stack;
  ServingSampling sampling;
  int max_tokens = 0;             // 0: what the context leaves
  std::vector<std::string> stop;  // texts that end the answer; they are not part of it
  int logprobs = -1;              // -1: none; otherwise so many alternatives a token (0 to 20)
  bool prompt_logprobs = false;   // of the prompt's tokens too (the first has none)
  std::string random_key;         // as in GenerateRequest
  std::string tenant;             // requests of tenants are admitted in turn
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

struct TokenLogprob {
  Token token = -1;
  float logprob = 0;
  std::vector<std::pair<Token, float>> top;  // most likely first
};

// A piece of an answer: whole characters, never part of a stop text.
struct ServingChunk {
  std::string_view text;
  std::vector<TokenLogprob> logprobs;  // of the tokens since the last chunk, if asked for
};

enum class ServingEnd { kStop, kLength, kCancelled, kDeadline, kFailed };

struct ServingUsage {
  int prompt_tokens = 0;      // prefix rows not counted
  int prefix_rows = 0;
  int cached_tokens = 0;      // prompt tokens found in the cache
  int completion_tokens = 0;  // the end token not counted
  double queued_seconds = 0;
  double first_token_seconds = 0;  // from submit() to the first token; 0 when there was none
};

struct ServingResult {
  ServingEnd end = ServingEnd::kStop;
  ServingUsage usage;
  std::vector<TokenLogprob> prompt_logprobs;
  std::optional<Error> error;  // of kFailed
};

// Called on the decode thread: must return at once, and must not call the engine but for cancel().
// on_end is called exactly once, last.
struct ServingSink {
  std::function<void(const ServingChunk&)> on_chunk;
  std::function<void(const ServingResult&)> on_end;
};

struct ServingOptions {
  bool exact = false;      // F32 KV cache, no flash attention
  int threads = 0;         // 0: every core
  int max_concurrent = 32; // requests decoded at the same time
  int max_queue = 256;     // requests that wait beyond those
  int context = 0;         // tokens of one request, prefix excluded; 0: as Engine
  int cache_tokens = 0;    // KV cells shared by all; 0: planned
  int prefill_tokens = 256;// prompt tokens a batch takes at most while answers are being decoded
};

struct ServingPlan {  // what was planned at start
  std::uint64_t cache_bytes = 0;
  int cells = 0, context = 0, sequences = 0, threads = 0;
};

struct ServingStats {
  std::uint64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0, batches = 0;
  int running = 0, waiting = 0;
  int used_cells = 0;
};

using RequestId = std::uint64_t;

// Thread-safe. Holds a reference to the model. The destructor cancels what runs.
class ServingEngine {
 public:
  // kInvalidArgument, kLimit (memory, naming both figures).
  static Result<std::unique_ptr<ServingEngine>> create(const Model& model,
                                                       const ServingOptions& options);
  ~ServingEngine();

  const ServingPlan& plan() const;
  ServingStats stats() const;
  const Model& model() const;

  // Keeps a copy of the rows. kMismatch, kInvalidArgument, kLimit as Engine::add_prefix.
  Result<PrefixId> add_prefix(const Rows& rows);
  // No request may name the prefix from now on; those that run or wait with it finish on it, then
  // its rows and cells are freed. kNotFound.
  Status retire_prefix(PrefixId id);

  // Takes a request into the queue. Nothing is called before this returns an error; afterwards the
  // sink's functions are. kInvalidArgument (empty prompt, ids outside the vocabulary, grammar that
  // does not parse, prompt longer than the context), kNotFound (prefix), kLimit (queue full, or
  // draining).
  Result<RequestId> submit(ServingRequest request, ServingSink sink);
  // Ends a request with kCancelled soon; its sink is still told. Unknown ids are ignored.
  void cancel(RequestId id);

  // Refuses new requests; returns when all have ended, or cancels what is left at `deadline`.
  void drain(std::chrono::steady_clock::time_point deadline);

 private:
  struct State;
  explicit ServingEngine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace llmpatch
