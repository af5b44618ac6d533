// Any bytes as a key file, a certificate or a private key: what is accepted must be written and
// read again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "trust/certificate.h"
#include "trust/key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto key = llmpatch::PublicKey::parse(text, "fuzz");
  if (key.ok()) {
    const auto again = llmpatch::PublicKey::parse(key->pem(), "fuzz");
    if (!again.ok() || again->hint() != key->hint()) std::abort();
    (void)key->verify("message", text);
  }
  (void)llmpatch::is_encrypted_key(text);
  const auto secret = llmpatch::PrivateKey::parse(text, std::nullopt, "fuzz");
  if (secret.ok()) {
    const auto written = secret->to_pem("");
    if (!written.ok()) std::abort();
    const auto again = llmpatch::PrivateKey::parse(*written, std::nullopt, "fuzz");
    if (!again.ok() || again->public_key().hint() != secret->public_key().hint()) std::abort();
  }
  auto certificate = llmpatch::Certificate::from_der(text, "fuzz");
  if (certificate.ok()) (void)certificate->subject();
  return 0;
}
