// Keys as TUF metadata has them: P-256 and Ed25519.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "trust/key.h"

namespace llmpatch {

// A public key of a root. Immutable.
class TufKey {
 public:
  // Reads {"keytype", "scheme", "keyval": {"public"}}. kUntrusted for another form, or a key that
  // is not of the kind it says. A kind that llmpatch does not know is read, and verifies nothing:
  // what else signs the role has to reach its threshold.
  static Result<TufKey> parse(const Json& key, std::string_view where);
  // kUnsupported unless it is a P-256 key.
  static Result<TufKey> of(const PublicKey& key);

  // SHA-256 of the canonical JSON of the key's object.
  const std::string& id() const { return id_; }
  // The same for the same key, however its object is written: what a threshold counts.
  const std::string& identity() const { return identity_; }
  const Json& json() const { return json_; }

  // Whether `signature` (DER of ECDSA; 64 bytes of Ed25519) is this key's over `message`.
  bool verify(std::string_view message, std::string_view signature) const;

 private:
  Json json_;
  std::string id_, identity_;
  std::optional<PublicKey> ecdsa_;
  std::string ed25519_;  // 32 bytes, or none
};

}  // namespace llmpatch
