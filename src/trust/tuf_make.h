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

// Whether `key` is one of the role's in one of `roots`.
bool may_sign_tuf(const PublicKey& key, TufRole role, const std::vector<const TufRoot*>& roots);

// The file of `body`, with those of the signatures `have` that are valid and those of `keys`, as
// far as they are by keys that speak for `role` in one of `roots`: perhaps too few.
Result<std::string> sign_tuf_in_part(const Json& body, TufRole role,
                                     const std::vector<TufSignature>& have,
                                     const std::vector<PrivateKey>& keys,
                                     const std::vector<const TufRoot*>& roots);

// kInvalidArgument, naming the keys of which too few have signed, unless the file `text` holds
// under each of `roots`.
Status check_tuf_signed(const std::string& text, TufRole role,
                        const std::vector<const TufRoot*>& roots);

// The file of `body`, signed by those of `keys` that speak for `role` in one of `roots` (the new
// root and the one before it; one root otherwise), and checked as above. Not the same bytes twice:
// ECDSA is randomised.
Result<std::string> sign_tuf(const Json& body, TufRole role, const std::vector<PrivateKey>& keys,
                             const std::vector<const TufRoot*>& roots);

}  // namespace llmpatch
