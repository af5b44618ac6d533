// llmpatch sign: puts model.sig into a patch directory.
#include "trust/sign.h"

#include <memory>
#include <vector>

#include "base/json.h"
#include "command.h"
#include "output_file.h"
#include "private_key.h"
#include "terminal.h"
#include "trust/statement.h"
#include "trust_options.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

struct Options {
  fs::path directory, key, passphrase_file, certificate;
  std::vector<fs::path> chain;
  bool force = false, json = false;
};

Result<std::vector<Certificate>> read_chain(const Options& options) {
  std::vector<Certificate> chain;
  if (options.certificate.empty()) return chain;
  LLMPATCH_ASSIGN(chain, read_certificates(options.certificate, ErrorKind::kCorrupt));
  for (const fs::path& path : options.chain) {
    LLMPATCH_ASSIGN(const std::vector<Certificate> more,
                    read_certificates(path, ErrorKind::kCorrupt));
    chain.insert(chain.end(), more.begin(), more.end());
  }
  return chain;
}

Status run(const Options& options) {
  if (!options.chain.empty() && options.certificate.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "command line",
                      "--chain: found without --certificate, which it leads on from");
  }
  LLMPATCH_ASSIGN(PrivateKey key, read_private_key(options.key, options.passphrase_file));
  LLMPATCH_ASSIGN(std::vector<Certificate> chain, read_chain(options));
  LLMPATCH_ASSIGN(const VerifiedFiles made,
                  sign_patch(options.directory, {std::move(key), std::move(chain)},
                             overwrite_if(options.force)));
  const std::string signature = (options.directory / kSignatureFile).string();
  say("wrote " + signature + ", signed by " + made.signer.to_string());
  if (!options.json) return {};
  return print(json_pretty(Json{{"signature", signature},
                                {"signer", to_json(made.signer)},
                                {"root_digest", made.root_digest},
                                {"files", file_digests(made.files)}}));
}

}  // namespace

RunFn declare_sign(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("DIR", options->directory, "Patch directory")->required();
  app.add_option("--key", options->key, "Private key (PEM)")->required();
  app.add_option("--passphrase-file", options->passphrase_file,
                 "Its passphrase, the first line of this file; without it, a terminal asks");
  app.add_option("--certificate", options->certificate,
                 "Certificate (PEM) of the key, to sign with instead of the bare key");
  app.add_option("--chain", options->chain,
                 "Certificates (PEM) that lead from it to a root; repeatable")
      ->allow_extra_args(false);
  app.add_flag("--force", options->force, "Replace an existing signature");
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
