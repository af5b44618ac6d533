// Loading a patch only when its signature holds, or when somebody said that it need not.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "patch/patch.h"
#include "trust/trust.h"

namespace llmpatch {

// Whether patches without a verified signature are loaded too.
enum class AllowUnsigned { kNo, kYes };

struct TrustedPatch {
  Patch patch;
  std::optional<Signer> signer;  // whose signature was verified
  std::string root_digest;       // of verified files; empty otherwise
  std::string warning;           // what every output says; empty when the signature was verified
};

// Loads a patch directory or .llmpatch file from the very bytes that were verified.
//
// With something in `trust`, a signature that is there must hold, whatever `allow` says: a patch
// that was tampered with is never taken for an unsigned one. A patch without a signature, or any
// patch when `trust` is empty, is loaded with `warning` under kYes and refused otherwise:
// kUntrusted for one without, kUnverifiable for one whose signature nobody can check. Other errors
// are those of verify_patch and load_patch.
Result<TrustedPatch> load_trusted_patch(const std::filesystem::path& path, const Trust& trust,
                                        AllowUnsigned allow);

// The same for files that were read already (by read_signed_files where there is something in
// `trust`). `source` is for messages and Patch::source.
Result<TrustedPatch> load_trusted_files(PatchFiles files, const std::filesystem::path& source,
                                        const Trust& trust, AllowUnsigned allow);

}  // namespace llmpatch
