// The KV cache of a serving engine: planned by its options, the model and the memory.
#pragma once

#include <memory>

#include "base/result.h"
#include "runtime/cache_pool.h"
#include "runtime/context.h"
#include "runtime/model.h"
#include "runtime/serving_engine.h"

namespace llmpatch {

constexpr int kResidentPrefixes = 32;  // lists of prefixes that stay decoded

struct ServingCache {
  std::unique_ptr<Context> context;
  std::unique_ptr<CachePool> pool;
  ServingPlan plan;
  bool reuse = false;  // whether sequences of the model can be copied in part
};

// Errors are those of ServingEngine::create().
Result<ServingCache> make_serving_cache(const Model& model, const ServingOptions& options);

}  // namespace llmpatch
