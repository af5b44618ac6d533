#include "llmpatch/stack.h"

#include <algorithm>
#include <string>
#include <utility>

#include "api/base_model.h"
#include "api/safety_patch.h"
#include "patch/stack.h"

namespace llmpatch {

struct PatchStack::State {
  BaseModel base;
  Compose compose;
  std::vector<SafetyPatch> patches;
  std::vector<std::string> warnings;
};

namespace {

Error mismatch(std::string message, std::string hint = "") {
  return make_error(ErrorKind::kMismatch, "stack", std::move(message), std::move(hint));
}

// What to warn of; empty where there is nothing.
Result<std::string> check_base(const BaseModel& base, const SafetyPatch& patch,
                               bool accept_unconfirmed) {
  const std::string title = "patch " + patch.info().name + " " + patch.info().version;
  LLMPATCH_ASSIGN(const IdentityMatch match, base.match(patch));
  switch (match.verdict) {
    case IdentityVerdict::kExact:
      return std::string();
    case IdentityVerdict::kSameFamily:
      return title + ": the model is another quantisation of its base; the card was measured on " +
             "another file";
    case IdentityVerdict::kUnconfirmed:
      if (accept_unconfirmed) {
        return title + ": the model could not be confirmed as its base (" + match.reason + ")";
      }
      return mismatch(
          title + ": found a model that may or may not be its base (" + match.reason + ")",
          "set accept_unconfirmed if you know that it is");
    case IdentityVerdict::kDifferent:
      break;
  }
  return mismatch(title + ": found another model, expected its base " + patch.info().base_model +
                  " (" + match.reason + ")");
}

}  // namespace

PatchStack::PatchStack(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Result<PatchStack> PatchStack::make(const BaseModel& base, std::vector<SafetyPatch> patches,
                                    const StackOptions& options) {
  if (patches.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "stack", "patches: found none, expected one");
  }
  std::vector<Manifest> manifests;
  for (const SafetyPatch& patch : patches) {
    manifests.push_back(patch.state_->patch.manifest);
    if (patch.width() != patches[0].width()) {
      return mismatch("patch " + patch.info().name + ": found rows of width " +
                      std::to_string(patch.width()) + ", expected " +
                      std::to_string(patches[0].width()));
    }
  }
  LLMPATCH_TRY(check_stack(manifests));
  if (options.compose == Compose::kParallel) {
    // The same set gives the same bits, whatever the order it is named in.
    std::sort(patches.begin(), patches.end(), [](const SafetyPatch& a, const SafetyPatch& b) {
      return a.info().name < b.info().name;
    });
  }
  std::vector<std::string> warnings;
  for (const SafetyPatch& patch : patches) {
    LLMPATCH_ASSIGN(std::string warning, check_base(base, patch, options.accept_unconfirmed));
    for (const std::string& line : {patch.info().warning, warning}) {
      if (!line.empty()) warnings.push_back(line);
    }
  }
  return PatchStack(std::make_shared<const State>(
      State{base, options.compose, std::move(patches), std::move(warnings)}));
}

const BaseModel& PatchStack::base() const { return state_->base; }

Compose PatchStack::compose() const { return state_->compose; }

const std::vector<SafetyPatch>& PatchStack::patches() const { return state_->patches; }

std::size_t PatchStack::cells() const {
  std::size_t cells = 0;
  for (const SafetyPatch& patch : patches()) cells += patch.rows();
  return cells;
}

std::size_t PatchStack::length() const {
  if (compose() == Compose::kSequential) return cells();
  std::size_t longest = 0;
  for (const SafetyPatch& patch : patches()) longest = std::max(longest, patch.rows());
  return longest;
}

const std::vector<std::string>& PatchStack::warnings() const { return state_->warnings; }

}  // namespace llmpatch
