// Verifying a signed patch: OpenSSF Model Signing v1.0, and stricter. What is loaded afterwards is
// what was verified, the very bytes.
#pragma once

#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "patch/files.h"
#include "trust/trust.h"

namespace llmpatch {

// A patch whose signature holds, in memory.
struct VerifiedFiles {
  PatchFiles files;         // model.sig and every file it covers; nothing else
  std::string root_digest;  // over the digests of the files; names these contents
  Signer signer;
};

// Verifies that model.sig covers exactly the other files of `files` and was made by somebody that
// `trust` believes for this patch. `where` names the patch in messages; certificates are checked as
// of `now`.
//
// kUntrusted, checked and not valid: no model.sig; a bundle or statement not of the one form; a
// signature by somebody else or over something else; a certificate that has expired, is not valid
// yet, may not sign or leads to no trusted root; a file changed, missing or added; a signer that
// the rules do not let sign this patch. kUnverifiable, could not check: `trust` has no key (or no
// root) and the signature is by one. kCorrupt or kUnsupported: validly signed, but the manifest is
// none (needed for the name).
Result<VerifiedFiles> verify_files(PatchFiles files, const Trust& trust, std::string_view where,
                                   std::time_t now = std::time(nullptr));

// read_patch_files for a patch that is to be verified: anything in the directory or archive that no
// patch may have (links, folders, foreign names, more bytes than allowed) is kUntrusted instead of
// kCorrupt or kLimit, and what cannot be read kUnverifiable instead of kIo.
Result<PatchFiles> read_signed_files(const std::filesystem::path& path);
// The same for unpack_files.
Result<PatchFiles> unpack_signed_files(std::string_view archive, std::string_view where);

// read_signed_files, then verify_files.
Result<VerifiedFiles> verify_patch(const std::filesystem::path& path, const Trust& trust,
                                   std::time_t now = std::time(nullptr));

// Who signed `files` by the bundle's own word, for showing: "key <hint>" or a certificate's
// subject. kUntrusted when model.sig is missing or unreadable, kUnverifiable as parse_bundle.
Result<std::string> claimed_signer(const PatchFiles& files, std::string_view where);

}  // namespace llmpatch
