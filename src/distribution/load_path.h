// Loading a patch from a path beside a store: it is not one of the store's, but the store's policy
// holds for it too, and what the store's channels have revoked is refused wherever it lies.
#pragma once

#include <filesystem>

#include "distribution/store.h"
#include "trust/load.h"

namespace llmpatch {

// `store` may be null: there is none. Errors of load_trusted_patch, Store::policy and
// Store::check_revoked.
Result<TrustedPatch> load_patch_path(const std::filesystem::path& path, Store* store,
                                     const Trust& trust, AllowUnsigned allow);

}  // namespace llmpatch
