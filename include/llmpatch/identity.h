// Whether a model is the one a patch was made for. docs/format.md tells how that is found out.
#pragma once

#include <string>
#include <string_view>

#include "llmpatch/export.h"

namespace llmpatch {

enum class IdentityVerdict {
  kExact,        // the same file
  kSameFamily,   // the same weights in another quantisation
  kUnconfirmed,  // cannot be told from a lightly changed model
  kDifferent,    // another model
};

// "exact", "same family", "unconfirmed", "different".
LLMPATCH_EXPORT std::string_view verdict_name(IdentityVerdict verdict);

struct IdentityMatch {
  IdentityVerdict verdict = IdentityVerdict::kDifferent;
  std::string reason;  // one plain sentence without a full stop
};

}  // namespace llmpatch
