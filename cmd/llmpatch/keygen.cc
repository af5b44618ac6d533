// llmpatch keygen: a key pair to sign patches with.
#include <unistd.h>

#include <memory>

#include "base/file.h"
#include "base/json.h"
#include "base/quote.h"
#include "command.h"
#include "output_file.h"
#include "passphrase.h"
#include "terminal.h"
#include "trust/key.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

struct Options {
  fs::path name, passphrase_file;
  bool json = false;
};

Status run(const Options& options) {
  const std::string name = options.name.filename().string();
  if (name.empty() || name == "." || name == "..") {
    return make_error(ErrorKind::kInvalidArgument, "keygen",
                      "--output: found " + quote(options.name.string()) +
                          ", expected a name for the pair, such as vendor");
  }
  const fs::path secret = options.name.string() + ".key";
  const fs::path open = options.name.string() + ".pub";
  for (const fs::path& path : {secret, open}) {
    if (Status status = check_output_file(path, Overwrite::kNo); !status.ok()) {
      Error error = std::move(status).error();
      if (error.kind == ErrorKind::kExists)
        error.hint = "keys are never replaced: choose another name";
      return error;
    }
  }
  LLMPATCH_ASSIGN(
      const std::optional<std::string> passphrase,
      read_passphrase(options.passphrase_file, Ask::kTwice, secret.filename().string()));
  LLMPATCH_ASSIGN(const PrivateKey key, PrivateKey::generate());
  const std::string text = passphrase.value_or("");
  LLMPATCH_ASSIGN(const std::string pem, key.to_pem(text));
  LLMPATCH_TRY(write_new_file(secret, pem, 0600));
  if (const Status written = write_new_file(open, key.public_key().pem(), 0644); !written.ok()) {
    ::unlink(secret.c_str());
    return written;
  }
  const std::string& hint = key.public_key().hint();
  say("wrote " + secret.string() + " (keep it secret) and " + open.string() + " (give it away)");
  if (text.empty()) {
    warn(secret.string() + " is not encrypted: who can read the file can sign");
  }
  say("to sign:   llmpatch sign DIR --key " + secret.string());
  say("to verify: llmpatch verify PATCH --key " + open.string());
  if (!options.json) return print(hint + "\n");
  return print(json_pretty(Json{{"private_key", secret.string()},
                                {"public_key", open.string()},
                                {"hint", hint},
                                {"encrypted", !text.empty()}}));
}

}  // namespace

RunFn declare_keygen(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("-o,--output", options->name,
                 "NAME of the pair: NAME.key is secret, NAME.pub is not")
      ->required();
  app.add_option("--passphrase-file", options->passphrase_file,
                 "Encrypt the private key with the first line of this file; without it, a terminal "
                 "asks");
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
