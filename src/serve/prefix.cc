#include "serve/prefix.h"

#include <utility>

namespace llmpatch {

Prefix::Prefix(ServingEngine& engine, Rows rows)
    : engine_(engine), size_(rows.n), rows_(std::move(rows)) {}

Prefix::~Prefix() {
  // Only an unknown id could fail.
  if (id_) static_cast<void>(engine_.retire_prefix(*id_));
}

Result<PrefixId> Prefix::id() {
  const std::lock_guard lock(mutex_);
  if (!id_) {
    LLMPATCH_ASSIGN(id_, engine_.add_prefix(rows_));
    rows_ = {};
  }
  return *id_;
}

}  // namespace llmpatch
