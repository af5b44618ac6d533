// The rows of a patch in the engine for as long as anybody needs them. Internal to serve/.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>

#include "base/result.h"
#include "patch/rows.h"
#include "runtime/serving_engine.h"

namespace llmpatch {

// Thread-safe. Must not be destroyed on the engine's thread (so not by a sink).
class Prefix {
 public:
  // `engine` must outlive it.
  Prefix(ServingEngine& engine, Rows rows);
  // Retires the prefix: requests that run with it finish.
  ~Prefix();
  Prefix(const Prefix&) = delete;
  Prefix& operator=(const Prefix&) = delete;

  // Adds the rows to the engine when first called. Errors of ServingEngine::add_prefix.
  Result<PrefixId> id();
  std::size_t size() const { return size_; }  // rows

 private:
  ServingEngine& engine_;
  const std::size_t size_;
  std::mutex mutex_;
  Rows rows_;  // until they are in the engine
  std::optional<PrefixId> id_;
};

}  // namespace llmpatch
