// Runs many requests at once on one libllama context: continuous batching over a unified KV cache,
// with prefixes that are decoded once and shared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/result.h"
#include "llmpatch/compose.h"
#include "patch/rows.h"
#include "runtime/adapters.h"
#include "runtime/model.h"

namespace llmpatch {

Result<Compose> parse_compose(std::string_view name);  // "sequential" or "parallel"

// Names rows added to an Engine. Ids are never used again.
using PrefixId = std::uint32_t;

// The prefixes a request runs behind, in order. Empty: the base model.
struct Stack {
  std::vector<PrefixId> prefixes;
  Compose compose = Compose::kSequential;

  auto operator<=>(const Stack&) const = default;
};

struct Sampling {
  float temperature = 0;  // 0: greedy, and the rest is ignored
  float top_p = 1;
  int top_k = 0;  // 0: off
  std::uint64_t seed = 0;
  std::uint32_t sample = 0;  // index among the samples of one prompt

  bool operator==(const Sampling&) const = default;
};

struct GenerateRequest {
  Tokens prompt;
  Stack stack;
  Sampling sampling;
  int max_tokens = 128;
  std::string random_key;  // keys random numbers, usually Prompt::digest(); empty: from the tokens
};

enum class FinishReason { kEnd, kLength, kCancelled };

struct Completion {
  Tokens tokens;  // without the end token
  std::string text;
  FinishReason finish = FinishReason::kLength;
  double first_token_seconds = 0;  // from its admission to its first token
};

// Text whose probability is wanted: the tokens of `continuation` after `prompt`.
struct ScoreRequest {
  Tokens prompt;
  Tokens continuation;
  Stack stack;
};

struct EngineOptions {
  bool exact = false;       // F32 KV cache, no flash attention: for parity and export checks
  int threads = 0;          // 0: every core
  int max_concurrent = 16;  // requests in one batch; more gain nothing on CPUs, where attention
                            // looks at the cells of all
  int context = 0;          // tokens one request may take, prefix excluded; 0: the trained context,
                            // at most 4096
  int cache_tokens = 0;     // cells shared by all requests; 0: planned from the two above
  Adapters adapters;        // in force for everything this engine runs, its prefixes included
};

// What a run cost.
struct EngineStats {
  std::uint64_t prompt_tokens = 0;
  std::uint64_t generated_tokens = 0;
  double seconds = 0;
};

// Not thread-safe: one thread drives it. Holds a reference to the model.
//
// Random numbers are a function of (seed, random_key, sample, position): a sample does not depend
// on its neighbours. Equal requests in equal order give equal bytes on the same machine and build;
// a different batch shape may flip a near-tie.
class Engine {
 public:
  // kLimit when the cache does not fit the memory, naming both figures; the errors of
  // LoadedAdapters::load. Engines of one model do not disturb each other, whatever their adapters;
  // but while one with adapters is made or destroyed, no other thread may use the model.
  static Result<std::unique_ptr<Engine>> create(const Model& model, const EngineOptions& options);
  ~Engine();

  // Keeps a copy of the rows; they are decoded when a stack first uses them. kMismatch when the
  // width is not the model's, kInvalidArgument when empty, kLimit when no sequence is left (256 for
  // prefixes and concurrent requests together).
  Result<PrefixId> add_prefix(const Rows& rows);
  // Forgets rows and every stack that used them. kNotFound.
  Status remove_prefix(PrefixId id);

  // Called as tokens arrive: request index and the new text (whole characters); return false to end
  // that request there.
  using TokenFn = std::function<bool(std::size_t request, std::string_view text)>;

  // Runs all requests, admitted in order, and returns completions in the same order. kLimit when
  // one is longer than the context; kCancelled when `cancel` is raised. `progress` counts requests.
  Result<std::vector<Completion>> generate(std::span<const GenerateRequest> requests,
                                           const CancelFlag* cancel = nullptr,
                                           const ProgressFn& progress = {},
                                           const TokenFn& on_token = {});

  // Natural log-probabilities of each continuation token, in order, under the full softmax. An
  // empty continuation has none. Errors as for generate().
  Result<std::vector<std::vector<float>>> score(std::span<const ScoreRequest> requests,
                                                const CancelFlag* cancel = nullptr,
                                                const ProgressFn& progress = {});

  // The logits behind score(): called once for every continuation token with the n_vocab logits
  // that predict it, in order within a request. The span is only valid during the call. Requests
  // are processed in order, in batches.
  using LogitsFn =
      std::function<void(std::size_t request, std::size_t position, std::span<const float> logits)>;
  Status logits(std::span<const ScoreRequest> requests, const LogitsFn& on_logits,
                const CancelFlag* cancel = nullptr, const ProgressFn& progress = {});

  const EngineStats& stats() const;
  const Model& model() const;

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace llmpatch
