// Any bytes as a public key file: what is accepted must be written and read again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "trust/key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto key = llmpatch::PublicKey::parse(text, "fuzz");
  if (!key.ok()) return 0;
  const auto again = llmpatch::PublicKey::parse(key->pem(), "fuzz");
  if (!again.ok() || again->hint() != key->hint()) std::abort();
  return 0;
}
