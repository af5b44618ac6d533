// Whether a patch may run on a model file: the verdict on its base identity, and what the operator
// said about the doubtful ones.
#pragma once

#include <string>

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "patch/manifest.h"

namespace llmpatch {

struct AdmissionRules {
  bool accept_base = false;  // --accept-base: where it cannot be told
  bool force = false;        // --force: even on another model
};

struct Admission {
  std::string warning;  // for the operator; empty for the exact file
  bool forced = false;  // it is another model: every output says so
};

// kMismatch where the patch may not run; the errors of match_identity.
Result<Admission> admit_base(const Manifest& manifest, const GgufFile& model,
                             const AdmissionRules& rules);

}  // namespace llmpatch
