#include "named_patch.h"

#include "store_options.h"
#include "trust/verify.h"

namespace llmpatch {

void NamedPatch::declare(CLI::App& app) {
  app.add_option("PATCH", patch,
                 "Patch directory, .llmpatch file, or NAME, NAME@VERSION or NAME@sha256:DIGEST of "
                 "the store")
      ->required();
  declare_store(app, store);
}

Result<NamedFiles> NamedPatch::read(bool to_verify) const {
  NamedFiles named;
  if (is_patch_path(patch)) {
    warn_of_shadow(patch, StorePlace{store});
    named.source = patch;
    LLMPATCH_ASSIGN(named.files, to_verify ? read_signed_files(patch) : read_patch_files(patch));
    return named;
  }
  const auto read = [&]() -> Result<StoredContents> {
    LLMPATCH_ASSIGN(const Reference reference, parse_reference(patch));
    LLMPATCH_ASSIGN(Store opened, StorePlace{store}.open(false));
    return opened.read(reference);
  };
  Result<StoredContents> stored = read();
  if (!stored.ok()) return not_in_store("patch", patch, std::move(stored).error());
  return NamedFiles{std::move(stored->files), std::move(stored->source),
                    std::move(stored->entry.signer)};
}

}  // namespace llmpatch
