// Patches that may run together on one model: nothing else can be applied.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "llmpatch/base_model.h"
#include "llmpatch/compose.h"
#include "llmpatch/export.h"
#include "llmpatch/patch.h"
#include "llmpatch/result.h"

namespace llmpatch {

struct StackOptions {
  Compose compose = Compose::kSequential;
  // Takes the caller's word that the model is the patches' base where that cannot be told
  // (IdentityVerdict::kUnconfirmed).
  bool accept_unconfirmed = false;
};

// One patch or several. Immutable: copies share one stack, and threads may.
class LLMPATCH_EXPORT PatchStack {
 public:
  // Checks that `patches` belong to `base` and to each other. kInvalidArgument: no patch, or the
  // same name twice. kMismatch: made for another model, or for one that cannot be told from it
  // without `accept_unconfirmed`; rows of different widths; a patch that excludes another, or
  // requires one that is not here. Errors of BaseModel::match.
  static Result<PatchStack> make(const BaseModel& base, std::vector<SafetyPatch> patches,
                                 const StackOptions& options = {});

  const BaseModel& base() const;
  Compose compose() const;
  // In the order in which they are decoded: as given, or by name where they are parallel.
  const std::vector<SafetyPatch>& patches() const;
  std::size_t cells() const;   // of the KV cache that the prefix takes: the rows of all
  std::size_t length() const;  // positions before the prompt: of all, or of the longest in parallel
  // One line each: that a patch was not verified (PatchInfo::warning), or that its card was
  // measured on another file than this model.
  const std::vector<std::string>& warnings() const;

 private:
  struct State;
  explicit PatchStack(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

}  // namespace llmpatch
