#include "distribution/load_path.h"

#include "trust/verify.h"

namespace llmpatch {

Result<TrustedPatch> load_patch_path(const std::filesystem::path& path, Store* store,
                                     const Trust& trust, AllowUnsigned allow) {
  if (store == nullptr) return load_trusted_patch(path, trust, allow);
  LLMPATCH_ASSIGN(const Trust own, store->policy());
  const bool verifies = !trust.empty() || !own.empty();
  LLMPATCH_ASSIGN(PatchFiles files, verifies ? read_signed_files(path) : read_patch_files(path));
  LLMPATCH_ASSIGN(TrustedPatch loaded, store->load_files(std::move(files), path, trust, allow));
  const Manifest& manifest = loaded.patch.manifest;
  LLMPATCH_TRY(store->check_revoked(manifest.name, manifest.version, loaded.root_digest));
  return loaded;
}

}  // namespace llmpatch
