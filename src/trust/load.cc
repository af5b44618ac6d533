#include "trust/load.h"

#include "trust/verify.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

Error refusal(const fs::path& path, bool is_signed) {
  if (is_signed) {
    return make_error(ErrorKind::kUnverifiable, "trust",
                      path.string() + ": found a signature, and no key to check it with",
                      "say --key FILE.pub, or --allow-unsigned to load it unchecked");
  }
  return make_error(ErrorKind::kUntrusted, "trust",
                    path.string() + ": found no signature, expected a signed patch",
                    "llmpatch sign makes one; --allow-unsigned loads it all the same");
}

std::string warning_of(const Patch& patch) {
  const std::string name = "patch " + patch.manifest.name + " " + patch.manifest.version;
  if (patch.is_signed) {
    return name + " is signed, but its signature was not checked";
  }
  return name + " is not signed: nothing tells who made it";
}

}  // namespace

Result<TrustedPatch> load_trusted_patch(const fs::path& path, const Trust& trust,
                                        AllowUnsigned allow) {
  LLMPATCH_ASSIGN(PatchFiles files,
                  trust.empty() ? read_patch_files(path) : read_signed_files(path));
  return load_trusted_files(std::move(files), path, trust, allow);
}

Result<TrustedPatch> load_trusted_files(PatchFiles files, const fs::path& path, const Trust& trust,
                                        AllowUnsigned allow) {
  const bool is_signed = files.contains(kSignatureFile);
  TrustedPatch loaded;
  if (is_signed && !trust.empty()) {
    LLMPATCH_ASSIGN(const VerifiedFiles verified,
                    verify_files(std::move(files), trust, path.string()));
    LLMPATCH_ASSIGN(loaded.patch, patch_from_files(verified.files, path));
    loaded.signer = verified.signer;
    loaded.root_digest = verified.root_digest;
    return loaded;
  }
  // Before anything of it is parsed.
  if (allow == AllowUnsigned::kNo) return refusal(path, is_signed);
  LLMPATCH_ASSIGN(loaded.patch, patch_from_files(files, path));
  loaded.warning = warning_of(loaded.patch);
  return loaded;
}

}  // namespace llmpatch
