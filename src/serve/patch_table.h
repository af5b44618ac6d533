// The patches requests may name at one moment, and what each name stands for. Internal to serve/.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "serve/served_patch.h"
#include "serve/stack_request.h"

namespace llmpatch {

// The patches one request runs behind. Holds them: what is swapped meanwhile stays until it goes.
struct ResolvedStack {
  std::vector<std::shared_ptr<const ServedPatch>> patches;
  Compose compose = Compose::kSequential;
  std::vector<std::string> warnings;  // of names that it runs without

  // "refuse@1.0.0+tone@1.1.0", or "none".
  std::string title() const;
  // How many rows its patches have in all.
  std::size_t rows() const;
  // What the header `llmpatch-stack` says.
  std::string header() const;
  // What the field `llmpatch` says.
  Json json() const;
  // The same for the engine. Errors of Prefix::id.
  Result<Stack> engine_stack() const;
};

// Immutable once it is shared.
class PatchTable {
 public:
  // Patches of files come before those of the store, newer versions before older ones.
  std::vector<std::shared_ptr<const ServedPatch>> patches;
  // Names whose active version was revoked with none to take its place: why they do not run ...
  std::map<std::string, Error> blocked;
  // ... or why stacks may run without them.
  std::map<std::string, std::string> without;
  // Stacks that the operator gave names. Where a patch of that name came later, it is the patch's.
  std::map<std::string, NamedStack> stacks;
  // The stack of requests that name none. Where it is empty they are refused, unless the model may
  // run alone.
  std::vector<Requirement> defaults;
  bool allow_unpatched = false;
  bool has_store = false;                  // whether there was one to read
  Compose compose = Compose::kSequential;  // of requests that do not say

  // What a request asks for: names as it wrote them, or those of the stack that it means.
  // kInvalidArgument: patches named twice over, or too many; kNotFound: a model's id that is none.
  Result<std::vector<Requirement>> wanted(const StackRequest& request, const ModelId& id) const;
  // The stack that a request asks for; nothing is taken from the engine yet. Errors of wanted().
  // kNotFound: no such patch; kInvalidArgument: patches that do not go together; kDenied: revoked;
  // kUnmet: it names none, none is active, and the model may not run alone; otherwise the error of
  // loading it. An empty list that a request gave is not judged here.
  Result<ResolvedStack> resolve(const StackRequest& request, const ModelId& id) const;
  // That of a request that names none.
  Result<ResolvedStack> default_stack() const;
  // Whether a patch is called so.
  bool has_name(std::string_view name) const;

 private:
  const NamedStack* named(const StackRequest& request, const ModelId& id) const;
  Result<std::shared_ptr<const ServedPatch>> find(const Requirement& wanted) const;
};

}  // namespace llmpatch
