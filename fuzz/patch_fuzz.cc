// Any bytes as a .llmpatch file. The parts are also parsed one by one, since a change to any of
// them is found by its digest before it would be parsed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "patch/adapter_config.h"
#include "patch/archive.h"
#include "patch/manifest.h"
#include "patch/patch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto files = llmpatch::unpack_files(bytes, "fuzz");
  if (!files.ok()) return 0;
  const auto packed = llmpatch::pack_files(*files);
  if (!packed.ok() || llmpatch::unpack_files(*packed, "fuzz").value() != *files) std::abort();

  (void)llmpatch::patch_from_files(*files, "fuzz").ok();
  for (const auto& [name, text] : *files) {
    if (name == llmpatch::kRowsFile) (void)llmpatch::rows_from_safetensors(text, name).ok();
    if (name != llmpatch::kManifestFile) continue;
    const auto manifest = llmpatch::parse_manifest(text, name);
    if (manifest.ok() &&
        llmpatch::parse_manifest(llmpatch::manifest_to_json(*manifest), name).value() !=
            *manifest) {
      std::abort();
    }
  }
  return 0;
}
