// Making TUF metadata: the maker's side of tuf_metadata.h.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "trust/key.h"
#include "trust/tuf_metadata.h"

namespace llmpatch {

// The bodies ("signed") of files that say just that.
Json tuf_body(const TufRoot& root);
Json tuf_timestamp_body(const TufFileList& timestamp);
Json tuf_snapshot_body(const TufFileList& snapshot);
Json tuf_body(const TufTargets& targets);

// The file of `body`, signed by those of `keys` that speak for `role` in one of `roots` (the new
// root and the one before it; one root otherwise), and verified under each of them.
// kInvalidArgument names the keys of which too few were given. Not the same bytes twice: ECDSA is
// randomised.
Result<std::string> sign_tuf(const Json& body, TufRole role, const std::vector<PrivateKey>& keys,
                             const std::vector<const TufRoot*>& roots);

}  // namespace llmpatch
