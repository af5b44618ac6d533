// Serves requests that arrive at any time: one decode loop on a thread of its own, continuous
// batching, requests behind different stacks of prefixes in one batch.
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

// How tokens of a served request are chosen. In this order: logit bias, penalties (over the
// answer's tokens, as OpenAI defines them), grammar, temperature, top-k, top-p, min-p.
struct ServingSampling {
  Sampling base;  // temperature, top_p, top_k, seed, sample
  float min_p = 0;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  std::map<Token, float> logit_bias;
  std::string grammar;  // GBNF with a rule `root`; empty: none
  // Texts of which one has to come before the grammar holds, from its first character on; none: it
  // holds from the beginning.
  std::vector<std::string> grammar_triggers;
  Tokens markers;  // control tokens that the answer may have; they are part of its text
};

struct ServingRequest {
  Tokens prompt;
  Stack stack;
  ServingSampling sampling;
  int max_tokens = 0;             // 0: what the context leaves
  std::vector<std::string> stop;  // texts that end the answer; they are not part of it
  int logprobs = -1;              // -1: none; otherwise so many alternatives a token (0 to 20)
  bool prompt_logprobs = false;   // of the prompt's tokens, too; then nothing is reused from cache
  std::string random_key;         // as in GenerateRequest
  std::string tenant;             // tenants take turns, and see nothing of each other's prompts
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

struct TokenLogprob {
  Token token = -1;
  float logprob = 0;
  std::vector<std::pair<Token, float>> top;  // most likely first
};

// A piece of an answer: whole characters, never part of a stop text. Bytes that are no UTF-8 pass
// through, and an answer that ends inside a character ends with its first bytes.
struct ServingChunk {
  std::string_view text;               // empty only where there are log-probabilities
  std::vector<TokenLogprob> logprobs;  // of the tokens since the last chunk, if asked for; those
                                       // that begin in a stop text are left out
};

// kStop: an end token, a stop text, or a grammar that allows nothing more.
enum class ServingEnd { kStop, kLength, kCancelled, kDeadline, kFailed };

struct ServingUsage {
  int prompt_tokens = 0;  // prefix rows not counted
  int prefix_rows = 0;
  int cached_tokens = 0;      // prompt tokens found in the cache
  int completion_tokens = 0;  // those of a stop text counted, the end token not
  double queued_seconds = 0;
  double first_token_seconds = 0;  // from submit() to the first token; 0 when there was none
};

struct ServingResult {
  ServingEnd end = ServingEnd::kStop;
  ServingUsage usage;
  // One of each prompt token, if asked for and decoded; the first has 0 and no alternatives.
  std::vector<TokenLogprob> prompt_logprobs;
  std::optional<Error> error;  // of kFailed
};

// Called on the decode thread: must return at once, must not throw, and must not call the engine
// but for cancel(). on_end is called exactly once, last. What a chunk views is gone afterwards.
struct ServingSink {
  std::function<void(const ServingChunk&)> on_chunk;
  std::function<void(const ServingResult&)> on_end;
};

// How requests share the KV cache. Unified: all draw on the same cells, and copying what they have
// in common moves no bytes, but every token passes over the cells of all. Split: each that runs has
// room for a whole context, which takes far more memory, and passes over its own cells only.
enum class CacheLayout {
  kAuto,  // split where that takes at most a quarter of the free memory, cache_tokens is 0 and the
          // model's cells can be taken apart
  kUnified,
  kSplit,
};

// The most requests that are decoded at the same time: leaves sequences of the cache for prefixes
// and kept prompts.
inline constexpr int kMaxServedAtOnce = 192;

struct ServingOptions {
  bool exact = false;       // F32 KV cache, no flash attention
  int threads = 0;          // 0: every core
  int max_concurrent = 32;  // requests decoded at the same time
  int max_queue = 256;      // requests that wait beyond those; 0: none
  int context = 0;          // tokens of one request, prefix excluded; 0: as Engine
  CacheLayout layout = CacheLayout::kAuto;
  int cache_tokens = 0;      // KV cells of all requests together; 0: planned
  int prefill_tokens = 256;  // prompt tokens a batch takes at most while answers are being decoded
};

struct ServingPlan {  // what was planned at start
  bool split = false;
  std::uint64_t cache_bytes = 0;
  int cells = 0;          // of all requests together
  int request_cells = 0;  // most that one can take, the rows of its stack among them
  int context = 0, sequences = 0, threads = 0;
};

// Counts since the start, and how it stands after the last batch.
struct ServingStats {
  std::uint64_t prompt_tokens = 0;  // decoded; those found in the cache are counted apart
  std::uint64_t cached_tokens = 0, generated_tokens = 0, batches = 0;
  int running = 0, waiting = 0;  // requests
  int used_cells = 0;            // those of prompts kept for reuse in the cache among them
};

using RequestId = std::uint64_t;

// Thread-safe. Holds a reference to the model. The destructor cancels what runs.
//
// A request is let in when the cells of its stack, prompt and longest answer are free or can be
// made free, so that none runs out of cache, and only while its tenant then holds at most three
// times the places and cells that are left free, unless it holds none or has no name. Those without
// room are passed by others' for a while only. Prompts are reused within a tenant. A greedy or
// seeded request gives the text that Engine::generate gives, but where a different batch shape
// flips a near-tie.
class ServingEngine {
 public:
  // kInvalidArgument, kLimit (memory, naming both figures), kUnsupported (a model whose cells
  // cannot be taken apart, asked to split its cache).
  static Result<std::unique_ptr<ServingEngine>> create(const Model& model,
                                                       const ServingOptions& options);
  ~ServingEngine();

  const ServingPlan& plan() const;
  ServingStats stats() const;
  const Model& model() const;

  // Keeps a copy of the rows, which are decoded when a request first uses them. kMismatch when the
  // width is not the model's, kInvalidArgument when empty, kLimit for more than 1024 prefixes.
  Result<PrefixId> add_prefix(const Rows& rows);
  // No request may name the prefix from now on; those that run or wait with it finish on it, then
  // its rows and cells are freed. kNotFound.
  Status retire_prefix(PrefixId id);

  // Takes a request into the queue; its sink may be called before this returns. A refused request's
  // sink is never called. Answers end with kLength where context or cache end. kInvalidArgument
  // (empty prompt, ids outside the vocabulary, numbers out of range, grammar that does not parse,
  // prompt that fills the context, more than 64 stop texts, or one empty or over 1024 bytes),
  // kNotFound (prefix), kLimit (queue full, draining, stack and prompt beyond the cache, more than
  // 32 prefixes in parallel, grammar beyond check_grammar's limits). A request counts in the queue
  // until shortly after its sink's on_end.
  Result<RequestId> submit(ServingRequest request, ServingSink sink);
  // Ends a request with kCancelled soon; its sink is still told. Unknown ids are ignored.
  void cancel(RequestId id);

  // Refuses new requests from now on; returns when all have ended, and cancels what is left at
  // `deadline`.
  void drain(std::chrono::steady_clock::time_point deadline);

 private:
  struct State;
  explicit ServingEngine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace llmpatch
