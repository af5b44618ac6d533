// Signing a patch: model.sig as OpenSSF Model Signing v1.0 defines it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "patch/files.h"
#include "trust/certificate.h"
#include "trust/verify.h"

namespace llmpatch {

// Who signs: a key, and its certificate (leaf first, then what leads to a root) or none.
struct SigningKey {
  PrivateKey key;
  std::vector<Certificate> chain;
};

// The bytes of model.sig over `files`; one that is among them already is left out. `subject` is a
// name for people. kInvalidArgument: the key is not the certificate's. Not the same bytes twice:
// ECDSA is randomised.
Result<std::string> sign_files(const PatchFiles& files, const std::string& subject,
                               const SigningKey& signing_key);

// Signs the patch in `directory`, whole or not at all: reads it once, refuses it when it does not
// load, signs, verifies the signature as a stranger would, writes model.sig, and reads and verifies
// what is on disk then. kExists when model.sig is there and overwrite is kNo; kUntrusted when the
// certificate may not sign now; the errors of load_patch; kIo.
Result<VerifiedFiles> sign_patch(const std::filesystem::path& directory,
                                 const SigningKey& signing_key, Overwrite overwrite);

}  // namespace llmpatch
