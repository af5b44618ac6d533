#include "trust_options.h"

namespace llmpatch {

void TrustOptions::declare(CLI::App& app) {
  app.add_option("--key", keys, "Public key that may have signed the patch; repeatable")
      ->allow_extra_args(false);
  app.add_option("--certificate-chain", certificates,
                 "Root certificates (PEM) under which it may be signed; repeatable")
      ->allow_extra_args(false);
  app.add_option("--trust", policy, "Policy (JSON): which keys may sign which patches");
}

void TrustOptions::declare_allow_unsigned(CLI::App& app) {
  app.add_flag("--allow-unsigned", allow_unsigned, "Load patches without a verified signature");
}

Result<Trust> TrustOptions::trust() const { return read_trust({keys, certificates, policy}); }

Json to_json(const Signer& signer) {
  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? Json() : Json(text);
  };
  return {{"key", signer.key},
          {"subject", text_or_null(signer.subject)},
          {"root", text_or_null(signer.root)}};
}

}  // namespace llmpatch
