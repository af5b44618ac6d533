// Any bytes as adapter_model.safetensors; what is accepted must be written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "patch/rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto rows = llmpatch::rows_from_safetensors(bytes, "fuzz");
  if (!rows.ok()) return 0;
  const auto again = llmpatch::rows_from_safetensors(llmpatch::rows_to_safetensors(*rows), "fuzz");
  if (!again.ok() || *again != *rows) std::abort();
  llmpatch::row_statistics(*rows);
  return 0;
}
