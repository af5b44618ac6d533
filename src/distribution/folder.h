// The folder of a store: what is in it, and who may write there.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace llmpatch {

inline constexpr const char* kDatabaseFile = "store.db";
inline constexpr const char* kLockFile = "lock";
inline constexpr const char* kBlobsFolder = "blobs";
// Written by the store's owner, not by llmpatch: who may sign its patches, and the keys of those.
inline constexpr const char* kPolicyFile = "trust.json";
inline constexpr const char* kKeysFolder = "keys";

// Makes the folder of a store (0700) with `create`, and checks one that is there. kNotFound: there
// is none; kDenied: it is no folder, or has something else in it and no store; it or what a store
// has in it belongs to another user, or others may write there; kIo.
Status prepare_store_folder(const std::filesystem::path& folder, bool create);

}  // namespace llmpatch
