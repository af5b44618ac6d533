// X.509 certificates: the other way, beside bare keys, to say who signed.
#pragma once

#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "trust/key.h"

struct x509_st;  // OpenSSL's X509

namespace llmpatch {

// The most certificates in a chain, leaf and root counted.
inline constexpr std::size_t kMaxChain = 8;

// One certificate, well-formed and not yet trusted for anything. Immutable, shared by its copies.
class Certificate {
 public:
  // Reads DER of at most 64 KiB with nothing behind it. kUntrusted otherwise. `where` names the
  // source in messages.
  static Result<Certificate> from_der(std::string_view der, std::string_view where);
  // Takes over a reference.
  explicit Certificate(std::shared_ptr<x509_st> handle) : handle_(std::move(handle)) {}

  std::string der() const;
  std::string fingerprint() const;  // SHA-256 of the DER form, 64 hexadecimal digits
  std::string subject() const;      // printable ASCII on one line, as RFC 2253 writes it
  // The key it certifies. kUnverifiable for one of another kind or curve (PublicKey::parse).
  Result<PublicKey> public_key() const;

  x509_st* handle() const { return handle_.get(); }

 private:
  std::shared_ptr<x509_st> handle_;
};

// Every certificate of a PEM file of at most 1 MiB, in order, at least one. An error has the kind
// `kind`: it depends on whether one signs with them or checks by them.
Result<std::vector<Certificate>> read_certificates(const std::filesystem::path& path,
                                                   ErrorKind kind);

// Checks that `chain` (leaf first, in any order behind it, at most kMaxChain) leads to one of
// `roots` and that its leaf may sign: every certificate on the way valid at `now`, the issuers
// allowed to issue, signatures of at least 112 bits of strength; the leaf's KeyUsage has
// digitalSignature and its ExtendedKeyUsage has codeSigning, each where it is there, and one of the
// two is there. A certificate in `roots` need not be self-signed. Revocation is not looked at.
// Returns the root that was reached; kUntrusted says what does not hold.
Result<Certificate> check_chain(const std::vector<Certificate>& chain,
                                const std::vector<Certificate>& roots, std::time_t now,
                                std::string_view where);

}  // namespace llmpatch
