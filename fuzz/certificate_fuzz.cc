// Any bytes as a certificate (DER): its names and its key are read.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "trust/certificate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto certificate = llmpatch::Certificate::from_der(bytes, "fuzz");
  if (!certificate.ok()) return 0;
  (void)certificate->subject();
  (void)certificate->public_key().ok();
  return 0;
}
