// Whom to believe: public keys and root certificates, and which patches each may sign.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "trust/certificate.h"
#include "trust/key.h"

namespace llmpatch {

// Who signed a patch, once that was verified.
struct Signer {
  std::string key;      // hint of the key that made the signature
  std::string subject;  // of its certificate; empty for a bare key
  std::string root;     // fingerprint of the root certificate; empty for a bare key

  // "key <hint>", or "<subject>, key <hint>".
  std::string to_string() const;
};

// Lets some signers sign some patches.
struct TrustRule {
  std::vector<std::string> patches;  // patterns: patch names, * for any run of characters
  std::vector<std::string> signers;  // hints of keys and fingerprints of root certificates
};

// What one verification believes. Immutable once made; threads may share it.
struct Trust {
  std::vector<PublicKey> keys;
  std::vector<Certificate> roots;
  // Without rules every key and root may sign every patch. With them, each may sign what a rule
  // lets it sign, and a key that no rule names nothing.
  std::optional<std::vector<TrustRule>> rules;

  // Nothing was asked for. A policy asks for something even when it brings no key along.
  bool empty() const { return keys.empty() && roots.empty() && !rules; }
};

// Whether `name` matches `pattern`, in which * stands for any run of characters, none included.
bool matches_pattern(std::string_view pattern, std::string_view name);

// kUntrusted when the rules do not let `signer` sign the patch `name`.
Status check_rules(const Trust& trust, const Signer& signer, const std::string& name);

// Where what one verification believes is read from.
struct TrustFiles {
  std::vector<std::filesystem::path> keys;          // public keys
  std::vector<std::filesystem::path> certificates;  // PEM files of root certificates
  std::filesystem::path policy;                     // empty: none
};

// kInvalidArgument: certificates beside a policy, whose rules would not let them sign anything.
// kUnverifiable as read_trust_policy.
Result<Trust> read_trust(const TrustFiles& files);

// Reads a trust policy (docs/trust.md) and the files it names, relative to its own folder. An entry
// of `keys` that is a hint refers to a key the caller adds, such as one given on the command line.
// kUnverifiable: one of these cannot be read or is not what it should be.
Result<Trust> read_trust_policy(const std::filesystem::path& path);

// The same of its text. `folder` is where the files it names are, `where` names it in messages.
Result<Trust> parse_trust_policy(std::string_view text, const std::filesystem::path& folder,
                                 const std::string& where);

}  // namespace llmpatch
