#include "runtime/serving_cache.h"

#include <llama.h>

#include <algorithm>
#include <future>
#include <string>
#include <utility>

#include "base/cores.h"
#include "base/memory.h"
#include "runtime/sequence_pool.h"
#include "runtime/stream_pool.h"

namespace llmpatch {
namespace {

constexpr int kMaxSequences = 256;  // libllama's limit
constexpr int kDefaultContext = 4096;
constexpr int kCellsPerRequest = 256;  // planned for ordinary requests
constexpr int kWholeRequests = 4;      // planned beside those: with a whole context
constexpr int kPrefixCells = 1024;     // planned for prefixes
constexpr int kStackCells = 256;       // planned for those of one request where the cache is split
// Of the free memory, what the room for whole contexts takes at most in a unified cache, and a
// split cache where nobody asked for one.
constexpr std::uint64_t kWholePart = 8;
constexpr std::uint64_t kSplitPart = 4;
// Prompts kept for reuse fill at most this part of what a unified cache has for ordinary requests,
// since every batch passes over all cells in use, and as many bytes outside a split one.
constexpr std::uint32_t kKeptPart = 8;
constexpr std::uint64_t kLeastKept = std::uint64_t{64} << 20;  // bytes outside
constexpr std::uint32_t kBatchTokens = 512;
constexpr std::size_t kLogitBytes = std::size_t{64} << 20;

// Only the cells of attention can be copied in part.
bool has_cells(const Model& model) {
  return !llama_model_is_recurrent(model.handle()) && !llama_model_is_hybrid(model.handle());
}

std::uint32_t round_up(int cells) { return (static_cast<std::uint32_t>(cells) + 255) / 256 * 256; }

int context_of(const Model& model, const ServingOptions& options) {
  if (options.context > 0) return options.context;
  const auto trained = static_cast<int>(std::min<std::size_t>(model.context_length(), 1 << 24));
  return trained > 0 ? std::min(trained, kDefaultContext) : kDefaultContext;
}

ContextOptions common_options(const Model& model, const ServingOptions& options,
                              std::uint32_t sequences) {
  ContextOptions wanted;
  wanted.exact = options.exact;
  wanted.threads = options.threads > 0 ? options.threads : usable_cores();
  wanted.sequences = sequences;
  wanted.batch = kBatchTokens;
  const std::size_t rows =
      std::clamp<std::size_t>(kLogitBytes / (model.n_vocab() * sizeof(float)), 16, kBatchTokens);
  wanted.outputs = std::max(static_cast<std::uint32_t>(rows), sequences);
  return wanted;
}

Result<ServingCache> make_cache(const Model& model, const ServingOptions& options,
                                const ContextOptions& wanted) {
  ServingCache made;
  made.reuse = has_cells(model);
  LLMPATCH_ASSIGN(made.context, Context::create(model.handle(), wanted));
  const std::uint64_t cells =
      wanted.split ? std::uint64_t{wanted.cells} * wanted.sequences : wanted.cells;
  made.plan.split = wanted.split;
  made.plan.cells = static_cast<int>(cells);
  made.plan.request_cells = static_cast<int>(wanted.cells);
  made.plan.cache_bytes = cells * cell_bytes(model.handle(), options.exact);
  made.plan.context = std::min(context_of(model, options), made.plan.request_cells);
  made.plan.sequences = static_cast<int>(wanted.sequences);
  made.plan.threads = wanted.threads;
  return made;
}

// What a unified cache needs for many short requests, or for one with a whole context.
int ordinary_cells(const Model& model, const ServingOptions& options) {
  return std::max(context_of(model, options), options.max_concurrent * kCellsPerRequest) +
         kPrefixCells;
}

// Requests that name no length are promised a whole context. Where memory allows, some of these
// have room beside ordinary ones: cells cost time only once they are in use.
int whole_request_cells(const Model& model, const ServingOptions& options, int ordinary) {
  const std::uint64_t bytes = std::max<std::uint64_t>(cell_bytes(model.handle(), options.exact), 1);
  const std::uint64_t affordable = usable_memory().available / kWholePart / bytes;
  const auto planned = static_cast<std::uint64_t>(ordinary);
  const std::uint64_t wanted =
      std::uint64_t{kWholeRequests} * static_cast<std::uint64_t>(context_of(model, options));
  return static_cast<int>(affordable > planned ? std::min(wanted, affordable - planned) : 0);
}

Result<ServingCache> make_unified(const Model& model, const ServingOptions& options) {
  const int ordinary = ordinary_cells(model, options);
  const int cells = options.cache_tokens > 0
                        ? options.cache_tokens
                        : ordinary + whole_request_cells(model, options, ordinary);
  const int kept = std::min(std::max(options.max_concurrent, 8),
                            kMaxSequences - kResidentPrefixes - options.max_concurrent);
  ContextOptions wanted =
      common_options(model, options,
                     static_cast<std::uint32_t>(options.max_concurrent + kResidentPrefixes + kept));
  wanted.cells = round_up(cells);
  LLMPATCH_ASSIGN(ServingCache made, make_cache(model, options, wanted));
  const std::uint32_t kept_cells = std::min(wanted.cells, round_up(ordinary)) / kKeptPart;
  const PoolOptions pool{static_cast<std::size_t>(options.max_concurrent), kResidentPrefixes,
                         static_cast<std::size_t>(kept), kept_cells};
  made.pool = std::make_unique<SequencePool>(*made.context, pool);
  return made;
}

ContextOptions split_options(const Model& model, const ServingOptions& options) {
  ContextOptions wanted =
      common_options(model, options, static_cast<std::uint32_t>(options.max_concurrent));
  wanted.split = true;
  wanted.cells =
      round_up(options.cache_tokens > 0 ? std::max(options.cache_tokens / options.max_concurrent, 1)
                                        : context_of(model, options) + kStackCells);
  return wanted;
}

Result<ServingCache> make_split(const Model& model, const ServingOptions& options) {
  if (!has_cells(model)) {
    return make_error(ErrorKind::kUnsupported, "runtime",
                      "split cache: found a recurrent model, expected one with attention alone",
                      "use a unified cache");
  }
  const ContextOptions wanted = split_options(model, options);
  LLMPATCH_ASSIGN(ServingCache made, make_cache(model, options, wanted));
  // On a thread that ends: OpenMP's workers stay with the thread that first called them, and once a
  // program's teams have more threads than there are processors, libgomp sleeps at barriers instead
  // of spinning. That took a tenth of the decode thread's speed.
  LLMPATCH_TRY(std::async(std::launch::async, [&] {
                 return check_saved_cells(*made.context, model.n_vocab());
               }).get());
  StreamOptions pool;
  pool.streams = wanted.sequences;
  pool.stacks = kResidentPrefixes;
  pool.kept_bytes = std::max(made.plan.cache_bytes / kKeptPart, kLeastKept);
  pool.window = static_cast<std::size_t>(std::max(llama_model_n_swa(model.handle()), 0));
  made.pool = std::make_unique<StreamPool>(*made.context, pool);
  return made;
}

bool can_afford_split(const Model& model, const ServingOptions& options) {
  if (options.cache_tokens > 0) return false;
  const ContextOptions wanted = split_options(model, options);
  const std::uint64_t cells = std::uint64_t{wanted.cells} * wanted.sequences;
  return cells * cell_bytes(model.handle(), options.exact) <=
         usable_memory().available / kSplitPart;
}

}  // namespace

Result<ServingCache> make_serving_cache(const Model& model, const ServingOptions& options) {
  if (options.layout == CacheLayout::kSplit) return make_split(model, options);
  if (options.layout == CacheLayout::kAuto && can_afford_split(model, options)) {
    auto made = make_split(model, options);
    if (made.ok() || made.error().kind != ErrorKind::kUnsupported) return made;
  }
  return make_unified(model, options);
}

}  // namespace llmpatch
