// Which patches a request asks for, as it says so. Internal to serve/.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "patch/semver.h"
#include "runtime/engine.h"

namespace llmpatch {

// The most patches one request may stack.
inline constexpr std::size_t kMaxStack = 16;

struct StackRequest {
  // Of the field `patches`. Not given: the model's id decides. Empty: the model alone.
  std::optional<std::vector<Requirement>> patches;
  std::optional<Compose> compose;
};

// A stack that the operator gave a name.
struct NamedStack {
  std::vector<Requirement> patches;
  std::optional<Compose> compose;
};

// Reads "name=patch+patch", or "name=patch+patch:parallel"; the patches as parse_patch_reference,
// but without build metadata in their versions. kInvalidArgument for anything else.
Result<std::pair<std::string, NamedStack>> parse_named_stack(std::string_view text);

// "name", "name@1.2.3", or "name@^1", "name@^1.2", "name@^1.2.3" (what is left out is zero).
// kInvalidArgument for anything else.
Result<Requirement> parse_patch_reference(std::string_view text);

// A model id, which names the patches after the base model's: "base+refuse@1.0.0+tone".
struct ModelId {
  bool is_base = false;  // nothing but the base model's id
  std::vector<std::string> patches;
};

// Nothing when `id` is neither `base` nor begins with `base` and "+". A `+` of a version's build
// metadata separates too; PatchTable::resolve puts such parts together again.
std::optional<ModelId> parse_model_id(std::string_view id, std::string_view base);

}  // namespace llmpatch
