#include "trust/verify.h"

#include "base/quote.h"
#include "patch/archive.h"
#include "patch/manifest.h"
#include "patch/patch.h"
#include "trust/bundle.h"
#include "trust/statement.h"
#include "trust/strict_json.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

Error unverifiable(std::string_view where, const std::string& message, const char* hint) {
  return make_error(ErrorKind::kUnverifiable, "trust", std::string(where) + ": " + message, hint);
}

Error wrong_signature(std::string_view where, const Signer& signer) {
  return untrusted(where, "the signature does not hold under " + signer.to_string());
}

std::string hints(const std::vector<PublicKey>& keys) {
  std::string text;
  for (const PublicKey& key : keys) text += (text.empty() ? "" : " or ") + key.hint();
  return text;
}

Result<Signer> check_key(const Bundle& bundle, const Trust& trust, std::string_view where) {
  if (trust.keys.empty()) {
    return unverifiable(where, "found a signature by key " + quote(bundle.hint) + " and no key",
                        "say --key FILE.pub");
  }
  const std::string signed_bytes = dsse_pae(bundle.payload);
  for (const PublicKey& key : trust.keys) {
    if (!bundle.hint.empty() && bundle.hint != key.hint()) continue;
    const Signer signer{key.hint(), "", ""};
    if (key.verify(signed_bytes, bundle.signature)) return signer;
    if (!bundle.hint.empty()) return wrong_signature(where, signer);
  }
  return untrusted(where,
                   "found a signature by " +
                       (bundle.hint.empty() ? "an unnamed key" : "key " + quote(bundle.hint)) +
                       ", expected one by " + hints(trust.keys));
}

Result<Signer> check_certificates(const Bundle& bundle, const Trust& trust, std::time_t now,
                                  std::string_view where) {
  std::vector<Certificate> chain;
  for (const std::string& der : bundle.certificates) {
    LLMPATCH_ASSIGN(Certificate certificate, Certificate::from_der(der, where));
    chain.push_back(std::move(certificate));
  }
  if (trust.roots.empty()) {
    return unverifiable(where,
                        "found a signature by the certificate " + chain.front().subject() +
                            " and no root certificate",
                        "say --certificate-chain FILE.pem");
  }
  LLMPATCH_ASSIGN(const Certificate root, check_chain(chain, trust.roots, now, where));
  auto key = chain.front().public_key();
  if (!key.ok()) return as_untrusted(std::move(key).error());
  Signer signer{key->hint(), chain.front().subject(), root.fingerprint()};
  if (!bundle.keyid.empty() && bundle.keyid != signer.key) {
    return untrusted(where, "keyid: found " + quote(bundle.keyid) + ", expected " + signer.key);
  }
  if (!key->verify(dsse_pae(bundle.payload), bundle.signature)) {
    return wrong_signature(where, signer);
  }
  return signer;
}

// The files are the ones that were signed: none missing, added or changed.
Status check_files(const PatchFiles& files, const Statement& statement, std::string_view where) {
  const auto found = file_digests(files);
  for (const auto& [name, digest] : statement.files) {
    const auto file = found.find(name);
    if (file == found.end())
      return untrusted(where, "found no " + quote(name) + ", which is signed");
    if (file->second != digest) {
      return untrusted(where, name + ": found sha256 " + file->second + ", expected " + digest);
    }
  }
  for (const auto& [name, digest] : found) {
    if (!statement.files.contains(name)) {
      return untrusted(where, "found " + quote(name) + ", which is not signed");
    }
  }
  return {};
}

Result<Bundle> read_bundle(const PatchFiles& files, std::string_view where) {
  const auto signature = files.find(kSignatureFile);
  if (signature == files.end()) {
    return make_error(
        ErrorKind::kUntrusted, "trust",
        std::string(where) + ": found no " + kSignatureFile + ", expected a signed patch");
  }
  return parse_bundle(signature->second, (fs::path(where) / kSignatureFile).string());
}

// What no patch may have, or more of it than a patch may have, was not signed as one; what cannot
// be read cannot be checked.
Result<PatchFiles> as_verdict(Result<PatchFiles> files) {
  if (files.ok()) return files;
  Error error = std::move(files).error();
  if (error.kind == ErrorKind::kCorrupt || error.kind == ErrorKind::kLimit) {
    error.kind = ErrorKind::kUntrusted;
  } else if (error.kind == ErrorKind::kIo) {
    error.kind = ErrorKind::kUnverifiable;
  }
  return error;
}

}  // namespace

Result<VerifiedFiles> verify_files(PatchFiles files, const Trust& trust, std::string_view where,
                                   std::time_t now) {
  const std::string signature = (fs::path(where) / kSignatureFile).string();
  LLMPATCH_ASSIGN(const Bundle bundle, read_bundle(files, where));
  VerifiedFiles verified;
  if (bundle.has_certificate()) {
    LLMPATCH_ASSIGN(verified.signer, check_certificates(bundle, trust, now, signature));
  } else {
    LLMPATCH_ASSIGN(verified.signer, check_key(bundle, trust, signature));
  }
  // Not before: nothing unverified is parsed further.
  LLMPATCH_ASSIGN(const Statement statement, parse_statement(bundle.payload, signature));
  LLMPATCH_TRY(check_files(files, statement, where));
  if (trust.rules) {
    const auto manifest = files.find(kManifestFile);
    if (manifest == files.end()) return untrusted(where, "found no manifest.json among the files");
    LLMPATCH_ASSIGN(const Manifest parsed,
                    parse_manifest(manifest->second, (fs::path(where) / kManifestFile).string()));
    LLMPATCH_TRY(check_rules(trust, verified.signer, parsed.name));
  }
  verified.root_digest = statement.root_digest;
  verified.files = std::move(files);
  return verified;
}

Result<PatchFiles> read_signed_files(const fs::path& path) {
  return as_verdict(read_patch_files(path));
}

Result<PatchFiles> unpack_signed_files(std::string_view archive, std::string_view where) {
  return as_verdict(unpack_files(archive, where));
}

Result<VerifiedFiles> verify_patch(const fs::path& path, const Trust& trust, std::time_t now) {
  LLMPATCH_ASSIGN(PatchFiles files, read_signed_files(path));
  return verify_files(std::move(files), trust, path.string(), now);
}

Result<std::string> claimed_signer(const PatchFiles& files, std::string_view where) {
  LLMPATCH_ASSIGN(const Bundle bundle, read_bundle(files, where));
  if (!bundle.has_certificate()) {
    return bundle.hint.empty() ? std::string("an unnamed key") : "key " + quote(bundle.hint);
  }
  LLMPATCH_ASSIGN(const Certificate leaf, Certificate::from_der(bundle.certificates[0], where));
  return "certificate " + leaf.subject();
}

}  // namespace llmpatch
