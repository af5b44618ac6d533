#include "runtime/engine.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "base/cores.h"
#include "base/sha256.h"
#include "runtime/context.h"
#include "runtime/loaded_adapters.h"
#include "runtime/prefix_store.h"
#include "runtime/random.h"
#include "runtime/sampling.h"
#include "runtime/scheduler.h"
#include "runtime/text_stream.h"

namespace llmpatch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxSequences = 256;   // libllama's limit
constexpr int kMaxConcurrent = 192;  // leaves sequences for prefixes and shared prompts
constexpr int kDefaultContext = 4096;
constexpr int kCellsPerRequest = 256;  // planned; longer requests wait for each other
constexpr int kPrefixCells = 1024;     // planned for prefixes
constexpr std::uint32_t kBatchTokens = 512;
constexpr std::size_t kLogitBytes = std::size_t{64} << 20;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Error invalid(const std::string& message) {
  return make_error(ErrorKind::kInvalidArgument, "runtime", message);
}

}  // namespace

Result<Compose> parse_compose(std::string_view name) {
  if (name == "sequential") return Compose::kSequential;
  if (name == "parallel") return Compose::kParallel;
  return invalid("compose: found '" + std::string(name) + "', expected sequential or parallel");
}

struct Engine::State {
  State(const Model& from, LoadedAdapters loaded, std::unique_ptr<Context> made)
      : model(from),
        adapters(std::move(loaded)),
        context(std::move(made)),
        sampler(from.suppressed()) {}

  // What a run needs in the cache before its first job.
  struct Loaded {
    std::vector<Root> roots;
    std::map<Stack, std::size_t> index;
    SchedulerOptions options;
  };

  Result<Loaded> load(const std::vector<const Stack*>& stacks);
  Status check_tokens(const Tokens& prompt, std::size_t more, std::size_t request) const;
  Status run(Scheduler& scheduler, const Scheduler::Handler& handler, const CancelFlag* cancel,
             const Scheduler::Notify& admitted, const Scheduler::Notify& finished);

  const Model& model;
  LoadedAdapters adapters;  // destroyed after the context that uses them
  std::unique_ptr<Context> context;
  Sampler sampler;
  PrefixStore prefixes;
  std::size_t max_concurrent = 1;
  std::size_t context_tokens = 0;
  EngineStats stats;
};

// Empties the cache and puts the cells of every stack into it, each list of prefixes once.
Result<Engine::State::Loaded> Engine::State::load(const std::vector<const Stack*>& stacks) {
  Loaded loaded;
  std::map<std::vector<PrefixId>, llama_seq_id> sequences;
  for (const Stack* stack : stacks) {
    if (loaded.index.contains(*stack)) continue;
    LLMPATCH_ASSIGN(const auto parts, prefixes.parts(*stack));
    Root root;
    for (const auto& part : parts) {
      const auto next = static_cast<llama_seq_id>(sequences.size());
      const auto [entry, added] = sequences.emplace(part, next);
      const std::size_t length = prefixes.length(part);
      if (added) loaded.options.used_cells += length;
      root.sequences.push_back(entry->second);
      root.next = std::max(root.next, static_cast<llama_pos>(length));
    }
    loaded.index.emplace(*stack, loaded.roots.size());
    loaded.roots.push_back(std::move(root));
  }
  const ContextOptions& limits = context->options();
  if (sequences.size() >= limits.sequences || loaded.options.used_cells >= limits.cells) {
    return make_error(ErrorKind::kLimit, "runtime",
                      "stacks: need " + std::to_string(sequences.size()) + " sequences and " +
                          std::to_string(loaded.options.used_cells) + " cells of " +
                          std::to_string(limits.sequences) + " and " + std::to_string(limits.cells),
                      "use fewer stacks in one run or give the cache more tokens");
  }
  std::vector<std::pair<llama_seq_id, const std::vector<std::uint8_t>*>> cells;
  for (const auto& [part, sequence] : sequences) {
    LLMPATCH_ASSIGN(const auto* bytes, prefixes.cells(part, *context));
    cells.emplace_back(sequence, bytes);
  }
  std::sort(cells.begin(), cells.end());
  context->clear();
  for (const auto& [sequence, bytes] : cells) LLMPATCH_TRY(context->restore(*bytes, sequence));
  loaded.options.first_sequence = static_cast<llama_seq_id>(sequences.size());
  loaded.options.max_jobs = max_concurrent;
  return loaded;
}

Status Engine::State::check_tokens(const Tokens& prompt, std::size_t more,
                                   std::size_t request) const {
  const std::string where = "request " + std::to_string(request + 1);
  if (prompt.empty()) return invalid(where + ": found an empty prompt");
  for (const Token token : prompt) {
    if (token < 0 || static_cast<std::size_t>(token) >= model.n_vocab()) {
      return invalid(where + ": found token " + std::to_string(token) +
                     ", expected one of the vocabulary");
    }
  }
  if (prompt.size() + more > context_tokens) {
    return make_error(ErrorKind::kLimit, "runtime",
                      where + ": found " + std::to_string(prompt.size() + more) +
                          " tokens, expected at most " + std::to_string(context_tokens),
                      "shorten the prompt or raise the context");
  }
  return {};
}

Status Engine::State::run(Scheduler& scheduler, const Scheduler::Handler& handler,
                          const CancelFlag* cancel, const Scheduler::Notify& admitted,
                          const Scheduler::Notify& finished) {
  const Clock::time_point start = Clock::now();
  context->set_cancel(cancel);
  Status status = scheduler.run(handler, cancel, admitted, finished);
  context->set_cancel(nullptr);
  stats.prompt_tokens += scheduler.prompt_tokens();
  stats.seconds += seconds_since(start);
  return status;
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

const EngineStats& Engine::stats() const { return state_->stats; }
const Model& Engine::model() const { return state_->model; }

Result<std::unique_ptr<Engine>> Engine::create(const Model& model, const EngineOptions& options) {
  if (options.max_concurrent < 1 || options.max_concurrent > kMaxConcurrent) {
    return invalid("concurrent requests: found " + std::to_string(options.max_concurrent) +
                   ", expected 1 to " + std::to_string(kMaxConcurrent));
  }
  if (options.context < 0 || options.cache_tokens < 0 || options.threads < 0) {
    return invalid("engine: found a negative size");
  }
  int context = options.context;
  if (context == 0) {
    const auto trained = static_cast<int>(std::min<std::size_t>(model.context_length(), 1 << 30));
    context = trained > 0 ? std::min(trained, kDefaultContext) : kDefaultContext;
  }
  int cells = options.cache_tokens;
  if (cells == 0) {
    cells = std::max(context, options.max_concurrent * kCellsPerRequest) + kPrefixCells;
  }
  ContextOptions plan;
  plan.exact = options.exact;
  plan.threads = options.threads > 0 ? options.threads : usable_cores();
  plan.cells = (static_cast<std::uint32_t>(cells) + 255) / 256 * 256;
  plan.sequences =
      static_cast<std::uint32_t>(std::min(kMaxSequences, 2 * options.max_concurrent + 64));
  plan.batch = kBatchTokens;
  const std::size_t rows =
      std::clamp<std::size_t>(kLogitBytes / (model.n_vocab() * sizeof(float)), 16, kBatchTokens);
  plan.outputs = std::max(static_cast<std::uint32_t>(rows), plan.sequences);
  // Before the context, which plans its graphs for the model's adapters.
  LLMPATCH_ASSIGN(LoadedAdapters adapters, LoadedAdapters::load(model, options.adapters));
  LLMPATCH_ASSIGN(auto made, Context::create(model.handle(), plan));
  LLMPATCH_TRY(made->apply(adapters));
  auto state = std::make_unique<State>(model, std::move(adapters), std::move(made));
  state->max_concurrent = static_cast<std::size_t>(options.max_concurrent);
  state->context_tokens = static_cast<std::size_t>(context);
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

Result<PrefixId> Engine::add_prefix(const Rows& rows) {
  LLMPATCH_TRY(check_prefix(rows, model()));
  if (state_->prefixes.size() + state_->max_concurrent + 2 >= kMaxSequences) {
    return make_error(ErrorKind::kLimit, "runtime",
                      "prefixes: found no sequence left of " + std::to_string(kMaxSequences),
                      "remove a prefix or run fewer requests at once");
  }
  return state_->prefixes.add(rows);
}

Status Engine::remove_prefix(PrefixId id) { return state_->prefixes.remove(id); }

Result<std::vector<Completion>> Engine::generate(std::span<const GenerateRequest> requests,
                                                 const CancelFlag* cancel,
                                                 const ProgressFn& progress,
                                                 const TokenFn& on_token) {
  State& state = *state_;
  std::vector<const Stack*> stacks;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const GenerateRequest& request = requests[i];
    LLMPATCH_TRY(state.check_tokens(request.prompt, 1, i));
    if (request.max_tokens < 1) {
      return invalid("request " + std::to_string(i + 1) + ": max_tokens: found " +
                     std::to_string(request.max_tokens) + ", expected at least 1");
    }
    stacks.push_back(&request.stack);
  }
  LLMPATCH_ASSIGN(State::Loaded loaded, state.load(stacks));

  struct Answer {
    AnswerRandom random;
    std::size_t limit;
    TextStream stream;
    Clock::time_point admitted;
  };
  std::vector<Answer> answers;
  std::vector<Job> jobs;
  std::vector<Completion> completions(requests.size());
  answers.reserve(requests.size());
  jobs.reserve(requests.size());
  for (const GenerateRequest& request : requests) {
    const std::string& key =
        request.random_key.empty() ? random_key(request.prompt) : request.random_key;
    const std::size_t limit = std::min(static_cast<std::size_t>(request.max_tokens),
                                       state.context_tokens - request.prompt.size());
    answers.push_back(
        {AnswerRandom(request.sampling.seed, key, request.sampling.sample), limit, {}, {}});
    jobs.push_back({loaded.index.at(request.stack), request.prompt, {}, limit});
  }

  const auto show = [&](std::size_t i, std::string text) {
    completions[i].text += text;
    return text.empty() || !on_token || on_token(i, text);
  };
  const auto handler = [&](std::size_t i, std::size_t k,
                           std::span<const float> logits) -> std::optional<Token> {
    Completion& completion = completions[i];
    Answer& answer = answers[i];
    const Token token = state.sampler.sample(logits, requests[i].sampling,
                                             answer.random.uniform(static_cast<std::uint32_t>(k)));
    if (k == 0) completion.first_token_seconds = seconds_since(answer.admitted);
    if (state.model.is_end(token)) {
      completion.finish = FinishReason::kEnd;
      show(i, answer.stream.finish());
      return std::nullopt;
    }
    completion.tokens.push_back(token);
    ++state.stats.generated_tokens;
    const bool go_on = show(i, answer.stream.push(state.model.text({&token, 1})));
    if (!go_on) {
      completion.finish = FinishReason::kCancelled;
      return std::nullopt;
    }
    if (completion.tokens.size() == answer.limit) {
      completion.finish = FinishReason::kLength;
      show(i, answer.stream.finish());
      return std::nullopt;
    }
    return token;
  };
  std::size_t done = 0;
  Scheduler scheduler(*state.context, std::move(loaded.roots), std::move(jobs), loaded.options);
  LLMPATCH_TRY(state.run(
      scheduler, handler, cancel, [&](std::size_t i) { answers[i].admitted = Clock::now(); },
      [&](std::size_t) {
        if (progress) progress(++done, requests.size(), "");
      }));
  return completions;
}

Status Engine::logits(std::span<const ScoreRequest> requests, const LogitsFn& on_logits,
                      const CancelFlag* cancel, const ProgressFn& progress) {
  State& state = *state_;
  std::vector<const Stack*> stacks;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    LLMPATCH_TRY(state.check_tokens(requests[i].prompt, requests[i].continuation.size(), i));
    if (!requests[i].continuation.empty()) {
      LLMPATCH_TRY(state.check_tokens(requests[i].continuation, 0, i));
    }
    stacks.push_back(&requests[i].stack);
  }
  LLMPATCH_ASSIGN(State::Loaded loaded, state.load(stacks));

  std::vector<Job> jobs;
  std::vector<std::size_t> request_of;  // a request without a continuation needs no job
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Tokens& text = requests[i].continuation;
    if (text.empty()) continue;
    jobs.push_back({loaded.index.at(requests[i].stack), requests[i].prompt,
                    Tokens(text.begin(), text.end() - 1), 0});
    request_of.push_back(i);
  }
  std::size_t done = requests.size() - jobs.size();
  const auto handler = [&](std::size_t job, std::size_t k,
                           std::span<const float> logits) -> std::optional<Token> {
    on_logits(request_of[job], k, logits);
    return std::nullopt;
  };
  Scheduler scheduler(*state.context, std::move(loaded.roots), std::move(jobs), loaded.options);
  return state.run(
      scheduler, handler, cancel, [](std::size_t) {},
      [&](std::size_t) {
        if (progress) progress(++done, requests.size(), "");
      });
}

Result<std::vector<std::vector<float>>> Engine::score(std::span<const ScoreRequest> requests,
                                                      const CancelFlag* cancel,
                                                      const ProgressFn& progress) {
  std::vector<std::vector<float>> scores(requests.size());
  const auto take = [&](std::size_t i, std::size_t position, std::span<const float> row) {
    scores[i].push_back(log_probability(row, requests[i].continuation[position]));
  };
  LLMPATCH_TRY(logits(requests, take, cancel, progress));
  return scores;
}

}  // namespace llmpatch
