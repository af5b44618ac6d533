// GET /v1/models. Internal to serve/.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "serve/keys.h"
#include "serve/patch_table.h"

namespace llmpatch {

// Whether a stack may be shown to `key` (null: everybody): it may run every patch of it. One that
// cannot be resolved is shown to those who may run any patch, since its error names some.
bool may_see(const ApiKey* key, const Result<ResolvedStack>& stack);

// The list of models that `key` (null: everybody) may name: the base model first. `created` is what
// each says of itself, a Unix time.
Json models_json(const PatchTable& table, const std::string& base, const ApiKey* key,
                 std::int64_t created);

}  // namespace llmpatch
