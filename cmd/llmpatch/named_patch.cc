#include "named_patch.h"

#include "store_options.h"
#include "trust/statement.h"
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

Result<StoreVerdict> NamedPatch::ask_store(const NamedFiles& named, const Manifest& manifest,
                                           const Trust& trust) const {
  StoreVerdict verdict;
  Result<Store> opened = StorePlace{store}.open(false);
  if (!opened.ok() && opened.error().kind == ErrorKind::kNotFound) return verdict;
  if (!opened.ok()) return std::move(opened).error();
  const std::string digest = root_digest(file_digests(named.files));
  if (const Status allowed = opened->check_revoked(manifest.name, manifest.version, digest);
      !allowed.ok()) {
    verdict.refused = allowed.error();
    verdict.revoked = allowed.error().kind == ErrorKind::kDenied;
    return verdict;
  }
  LLMPATCH_ASSIGN(const Trust own, opened->policy());
  if (own.empty()) return verdict;
  const auto loaded = opened->load_files(named.files, named.source, trust, AllowUnsigned::kYes);
  if (!loaded.ok()) verdict.refused = loaded.error();
  return verdict;
}

}  // namespace llmpatch
