// Any bytes as a private key file: what is accepted must be written and read again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "trust/key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)llmpatch::is_encrypted_key(text);
  const auto secret = llmpatch::PrivateKey::parse(text, std::nullopt, "fuzz");
  if (!secret.ok()) return 0;
  const auto written = secret->to_pem("");
  if (!written.ok()) std::abort();
  const auto again = llmpatch::PrivateKey::parse(*written, std::nullopt, "fuzz");
  if (!again.ok() || again->public_key().hint() != secret->public_key().hint()) std::abort();
  return 0;
}
