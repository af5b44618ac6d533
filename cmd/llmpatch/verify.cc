// llmpatch verify: whether a patch is signed by somebody trusted, and is what was signed.
#include "trust/verify.h"

#include <memory>

#include "command.h"
#include "named_patch.h"
#include "patch/expiry.h"
#include "patch/patch.h"
#include "patch/stack.h"
#include "terminal.h"
#include "trust/statement.h"
#include "trust_options.h"

namespace llmpatch {
namespace {

struct Options {
  NamedPatch patch;
  TrustOptions trust;
  bool json = false;
};

Json to_json(const Patch& patch, const VerifiedFiles& verified) {
  return {{"patch", patch.source.string()},         {"name", patch.manifest.name},
          {"version", patch.manifest.version},      {"sequence", patch.manifest.sequence},
          {"signer", to_json(verified.signer)},     {"root_digest", verified.root_digest},
          {"expired", has_expired(patch.manifest)}, {"files", file_digests(verified.files)}};
}

std::string to_text(const Patch& patch, const VerifiedFiles& verified) {
  const auto digests = file_digests(verified.files);
  std::string text = "valid: " + patch.manifest.name + " " + patch.manifest.version + "\n";
  text += "signer   " + verified.signer.to_string() + "\n";
  text += "digest   sha256:" + verified.root_digest + "\n";
  text += "files    " + std::to_string(digests.size()) + " checked\n";
  for (const auto& [name, digest] : digests) text += "         " + digest + "  " + name + "\n";
  return text;
}

Status run(const Options& options) {
  LLMPATCH_ASSIGN(const Trust trust, options.trust.trust());
  if (trust.empty()) {
    return make_error(ErrorKind::kUnverifiable, "verify",
                      "keys: found none, expected --key, --certificate-chain or --trust");
  }
  LLMPATCH_ASSIGN(const NamedFiles named, options.patch.read(true));
  LLMPATCH_ASSIGN(const VerifiedFiles verified,
                  verify_files(named.files, trust, named.source.string()));
  LLMPATCH_ASSIGN(const Patch patch, patch_from_files(verified.files, named.source));
  LLMPATCH_ASSIGN(const StoreVerdict verdict,
                  options.patch.ask_store(named, patch.manifest, trust));
  if (verdict.refused) return *verdict.refused;
  if (has_expired(patch.manifest)) {
    warn(patch_title(patch.manifest) + " expired at " + *patch.manifest.expires);
  }
  return print(options.json ? json_pretty(to_json(patch, verified)) : to_text(patch, verified));
}

}  // namespace

RunFn declare_verify(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->patch.declare(app);
  options->trust.declare(app);
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
