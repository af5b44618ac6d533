// Any bytes as a .llmpatch file. The same files must come back from an archive of our own, and a
// patch that loads must be one that can be written. adapter_config.json is also parsed by itself,
// since a change to it is found by its digest before.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "patch/archive.h"
#include "patch/inspect.h"
#include "patch/patch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto files = llmpatch::unpack_files(bytes, "fuzz");
  if (!files.ok()) return 0;
  const auto packed = llmpatch::pack_files(*files);
  if (!packed.ok()) std::abort();
  const auto again = llmpatch::unpack_files(*packed, "fuzz");
  if (!again.ok() || *again != *files) std::abort();

  if (const auto config = files->find(llmpatch::kAdapterConfigFile); config != files->end()) {
    (void)llmpatch::parse_adapter_config(config->second, {3, 4, {}}, "fuzz").ok();
  }
  const auto patch = llmpatch::patch_from_files(*files, "fuzz");
  if (!patch.ok()) return 0;
  if (!llmpatch::patch_to_files(*patch).ok()) std::abort();
  llmpatch::inspect_patch(*patch).to_text();
  return 0;
}
