// Any bytes as manifest.json; what is accepted must be written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "patch/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto manifest = llmpatch::parse_manifest(text, "fuzz");
  if (!manifest.ok()) return 0;
  const auto again = llmpatch::parse_manifest(llmpatch::manifest_to_json(*manifest), "fuzz");
  if (!again.ok() || !(*again == *manifest)) std::abort();
  return 0;
}
