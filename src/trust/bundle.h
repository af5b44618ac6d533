// The file model.sig: a Sigstore bundle v0.3 around a DSSE envelope around a Statement. The form is
// written down in docs/format.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llmpatch {

struct Bundle {
  // Who signed, as the bundle says: the hint of a key, or a certificate chain in DER, leaf first.
  // A bundle of the key method may leave its hint out, which is an empty string then.
  std::string hint;
  std::vector<std::string> certificates;

  std::string payload;    // the bytes of the statement
  std::string signature;  // ECDSA in DER over dsse_pae(payload)
  std::string keyid;      // of the envelope; empty, or the signing key's hint

  bool has_certificate() const { return !certificates.empty(); }
  bool operator==(const Bundle&) const = default;
};

// What is signed instead of the payload itself: DSSE's pre-authentication encoding (DSSE 1.0.2),
// with the payload type of in-toto.
std::string dsse_pae(std::string_view payload);

// The bytes of model.sig.
std::string bundle_to_json(const Bundle& bundle);

// Reads a bundle; nothing of it is verified. Its form alone is checked, and all of it: unknown or
// missing members, a key twice, other types, other than one signature, entries of a transparency
// log, a key id that contradicts the hint, more than kMaxChain certificates are kUntrusted.
// kUnverifiable: a bundle of Sigstore's keyless method, which needs services of its own.
Result<Bundle> parse_bundle(std::string_view text, std::string_view where);

}  // namespace llmpatch
