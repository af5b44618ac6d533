// Keys: ECDSA over the curves of NIST that OpenSSF Model Signing knows, each with its hash
// (P-256 with SHA-256, P-384 with SHA-384, P-521 with SHA-512). Other kinds of key are refused.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace llmpatch {

// A public key. Immutable: copies share it, and threads may.
class PublicKey {
 public:
  // Reads PEM (SubjectPublicKeyInfo). kUnverifiable when it is something else, or a key of another
  // kind or curve: what such a key signed cannot be checked. `where` names the file in messages.
  static Result<PublicKey> parse(std::string_view pem, std::string_view where);
  // The same from a file of at most 64 KiB. To check signatures with (kUnverifiable), a file that
  // cannot be read is that too; for another use `kind` is what a file that is no such key is.
  static Result<PublicKey> read(const std::filesystem::path& path,
                                ErrorKind kind = ErrorKind::kUnverifiable);
  // Takes over a reference to `key`, which is checked as above.
  static Result<PublicKey> adopt(std::shared_ptr<evp_pkey_st> key, std::string_view where);

  // What a bundle calls the key: SHA-256 of its PEM text, 64 hexadecimal digits.
  const std::string& hint() const { return hint_; }
  const std::string& pem() const { return pem_; }
  // Whether it is on the curve P-256, the only one that TUF metadata takes.
  bool is_p256() const;

  // Whether `signature` (ECDSA, DER) is this key's over `message`, with the hash of its curve.
  bool verify(std::string_view message, std::string_view signature) const;

 private:
  PublicKey() = default;
  std::shared_ptr<evp_pkey_st> key_;
  std::string pem_, hint_;
};

// A private key. Immutable and shared like PublicKey.
class PrivateKey {
 public:
  // A new P-256 key. kInternal when OpenSSL has no randomness.
  static Result<PrivateKey> generate();
  // Reads PEM (PKCS#8 or SEC1). kInvalidArgument: it is encrypted and no passphrase is given;
  // kDenied: the passphrase is not the right one; kCorrupt: no private key; kUnsupported: another
  // kind of key or curve.
  static Result<PrivateKey> parse(std::string_view pem,
                                  const std::optional<std::string>& passphrase,
                                  std::string_view where);

  // PKCS#8 PEM; encrypted with AES-256 under a key that PBKDF2 makes of `passphrase`, unless that
  // is empty.
  Result<std::string> to_pem(const std::string& passphrase) const;

  const PublicKey& public_key() const { return public_key_; }
  // An ECDSA signature (DER) over `message` with the hash of the curve. Randomised.
  Result<std::string> sign(std::string_view message) const;

 private:
  explicit PrivateKey(PublicKey public_key) : public_key_(std::move(public_key)) {}
  static Result<PrivateKey> adopt(std::shared_ptr<evp_pkey_st> key, std::string_view where);
  std::shared_ptr<evp_pkey_st> key_;
  PublicKey public_key_;
};

// Whether this PEM text holds a private key that needs a passphrase.
bool is_encrypted_key(std::string_view pem);

}  // namespace llmpatch
