#include "trust/sign.h"

#include "patch/patch.h"
#include "trust/bundle.h"
#include "trust/statement.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// Believes this key alone: the key itself, or the end of its chain.
Trust trust_in(const SigningKey& signing_key) {
  Trust trust;
  if (signing_key.chain.empty()) {
    trust.keys.push_back(signing_key.key.public_key());
  } else {
    trust.roots.push_back(signing_key.chain.back());
  }
  return trust;
}

}  // namespace

Result<std::string> sign_files(const PatchFiles& files, const std::string& subject,
                               const SigningKey& signing_key) {
  Bundle bundle;
  bundle.hint = signing_key.key.public_key().hint();
  bundle.keyid = bundle.hint;
  if (!signing_key.chain.empty()) {
    LLMPATCH_ASSIGN(const PublicKey certified, signing_key.chain.front().public_key());
    if (certified.hint() != bundle.hint) {
      return make_error(ErrorKind::kInvalidArgument, "sign",
                        "certificate " + signing_key.chain.front().subject() + ": found key " +
                            certified.hint() + ", expected " + bundle.hint);
    }
    for (const Certificate& each : signing_key.chain) bundle.certificates.push_back(each.der());
    bundle.hint.clear();
  }
  bundle.payload = statement_to_json(subject, file_digests(files));
  LLMPATCH_ASSIGN(bundle.signature, signing_key.key.sign(dsse_pae(bundle.payload)));
  return bundle_to_json(bundle);
}

Result<VerifiedFiles> sign_patch(const fs::path& directory, const SigningKey& signing_key,
                                 Overwrite overwrite) {
  LLMPATCH_ASSIGN(PatchFiles files, read_patch_directory(directory));
  LLMPATCH_ASSIGN(const Patch patch, patch_from_files(files, directory));
  if (patch.is_signed && overwrite == Overwrite::kNo) {
    return make_error(ErrorKind::kExists, "sign", directory.string() + ": it is signed already",
                      "say --force to replace the signature");
  }
  const Trust trust = trust_in(signing_key);
  const fs::path output = directory / kSignatureFile;
  LLMPATCH_ASSIGN(files[kSignatureFile], sign_files(files, patch.manifest.name, signing_key));
  const std::string signature = files[kSignatureFile];
  LLMPATCH_TRY(check_patch_file(kSignatureFile, signature.size(), directory.string()));
  LLMPATCH_TRY(verify_files(std::move(files), trust, directory.string()));
  LLMPATCH_TRY(write_file_atomic(output, signature, overwrite));
  auto verified = verify_patch(directory, trust);
  if (!verified.ok()) {  // somebody changed a file meanwhile
    std::error_code ignored;
    fs::remove(output, ignored);
  }
  return verified;
}

}  // namespace llmpatch
