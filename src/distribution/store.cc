#include "distribution/store.h"

#include "distribution/folder.h"
#include "distribution/schema.h"
#include "distribution/user.h"
#include "patch/expiry.h"
#include "trust/statement.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

std::string versions_of(const std::vector<InstalledPatch>& patches) {
  std::string text;
  for (const InstalledPatch& patch : patches) text += (text.empty() ? "" : ", ") + patch.version;
  return text;
}

// A database and files that do not agree: each is as it was written, so somebody exchanged one.
Error inconsistent(const InstalledPatch& patch, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "store", patch.title() + ": " + message,
                    "remove it and install it again");
}

// What was verified when it was installed, as load_trusted_files would give it.
TrustedPatch recorded(Patch patch, const InstalledPatch& entry) {
  return {std::move(patch), entry.signer, entry.digest, ""};
}

}  // namespace

Store::Store(fs::path folder, StoreOptions options, Database database)
    : folder_(std::move(folder)),
      options_(std::move(options)),
      database_(std::move(database)),
      blobs_(folder_ / kBlobsFolder) {}

Result<Store> Store::open(const fs::path& folder, StoreOptions options) {
  if (options.who.empty()) options.who = current_user();
  LLMPATCH_TRY(prepare_store_folder(folder, options.create));
  LLMPATCH_ASSIGN(Database database, Database::open(folder / kDatabaseFile));
  LLMPATCH_ASSIGN(const bool is_made, has_schema(database));
  Store store(folder, std::move(options), std::move(database));
  const std::string where = (folder / kDatabaseFile).string();
  if (is_made) {
    LLMPATCH_TRY(ensure_schema(store.database_, where));
  } else {
    LLMPATCH_ASSIGN(const StoreLock held, store.lock(LockMode::kExclusive));
    LLMPATCH_TRY(ensure_schema(store.database_, where));
    LLMPATCH_TRY(sync_directory(folder));
  }
  return store;
}

Result<StoreLock> Store::lock(LockMode mode) const {
  return StoreLock::acquire(folder_ / kLockFile, mode);
}

bool Store::is_expired(const InstalledPatch& patch) const {
  return patch.expires && *patch.expires <= utc_text(options_.clock());
}

// Best effort: a file that no patch has does no harm, and the next change tries again.
void Store::collect_garbage() {
  if (const auto keep = records::file_digests(database_); keep.ok()) blobs_.collect(*keep);
}

Result<std::vector<InstalledPatch>> Store::list() {
  LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kShared));
  return records::patches(database_);
}

Result<std::vector<HistoryEntry>> Store::history(const std::string& name) {
  LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kShared));
  return records::history(database_, name);
}

Result<InstalledPatch> Store::find(const Reference& reference, Bare bare) {
  const std::string what = "patch " + reference.to_string();
  const std::string store = " in the store " + folder_.string();
  LLMPATCH_ASSIGN(const std::vector<InstalledPatch> patches,
                  records::patches(database_, reference.name));
  if (patches.empty()) {
    return make_error(ErrorKind::kNotFound, "store", what + ": found none of that name" + store,
                      "llmpatch list shows what there is");
  }
  for (const InstalledPatch& patch : patches) {
    const bool is_meant = !reference.digest.empty()    ? patch.digest == reference.digest
                          : !reference.version.empty() ? patch.version == reference.version
                                                       : bare == Bare::kNewest || patch.active;
    if (is_meant) return patch;
  }
  if (reference.names_one()) {
    return make_error(ErrorKind::kNotFound, "store",
                      what + ": found only " + versions_of(patches) + store,
                      "llmpatch list shows what there is");
  }
  LLMPATCH_ASSIGN(const std::optional<InstalledPatch> latest, revoked_latest(reference.name));
  if (latest) LLMPATCH_TRY(check_not_revoked(*latest));
  return make_error(ErrorKind::kNotFound, "store",
                    what + ": found no active version" + store + ", only " + versions_of(patches),
                    "llmpatch activate " + reference.name + ", or name a version");
}

Result<PatchFiles> Store::read_files(const InstalledPatch& patch) {
  LLMPATCH_ASSIGN(const std::vector<StoredFile> stored, records::files(database_, patch.id));
  PatchFiles files;
  for (const StoredFile& file : stored) {
    LLMPATCH_TRY(check_patch_file(file.name, file.size, patch.title()));
    LLMPATCH_ASSIGN(files[file.name], blobs_.get(file.sha256, file.size));
  }
  if (const std::string found = root_digest(file_digests(files)); found != patch.digest) {
    return inconsistent(patch, "found digest " + found + ", expected " + patch.digest);
  }
  return files;
}

Result<Manifest> Store::read_manifest(const InstalledPatch& patch) {
  LLMPATCH_ASSIGN(const std::vector<StoredFile> stored, records::files(database_, patch.id));
  for (const StoredFile& file : stored) {
    if (file.name != kManifestFile) continue;
    LLMPATCH_ASSIGN(const std::string text, blobs_.get(file.sha256, file.size));
    return parse_manifest(text, patch.title());
  }
  return inconsistent(patch, "found no manifest");
}

Result<Trust> Store::policy() const {
  std::error_code code;
  const fs::path file = folder_ / kPolicyFile;
  if (fs::symlink_status(file, code).type() == fs::file_type::not_found) return Trust();
  return read_trust_policy(file);
}

Result<TrustedPatch> Store::load_files(PatchFiles files, const fs::path& source, const Trust& trust,
                                       AllowUnsigned allow) const {
  LLMPATCH_ASSIGN(Trust own, policy());
  if (own.empty()) return load_trusted_files(std::move(files), source, trust, allow);
  if (!trust.empty()) LLMPATCH_TRY(load_trusted_files(files, source, trust, allow));
  // The policy may name a key by its hint alone.
  own.keys.insert(own.keys.end(), trust.keys.begin(), trust.keys.end());
  Result<TrustedPatch> loaded = load_trusted_files(std::move(files), source, own, allow);
  if (!loaded.ok() && loaded.error().kind == ErrorKind::kUntrusted) {
    Error error = std::move(loaded).error();
    error.hint = "who may sign is said in " + (folder_ / kPolicyFile).string();
    return error;
  }
  return loaded;
}

fs::path Store::source_of(const InstalledPatch& patch) const {
  return folder_ / (patch.name + "@" + patch.version);
}

Result<StoredContents> Store::read(const Reference& reference) {
  StoredContents stored;
  LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kShared));
  LLMPATCH_ASSIGN(stored.entry, find(reference, Bare::kActive));
  LLMPATCH_ASSIGN(stored.files, read_files(stored.entry));
  stored.source = source_of(stored.entry);
  return stored;
}

Result<StoredPatch> Store::load(const Reference& reference, const Trust& trust,
                                AllowUnsigned allow) {
  LLMPATCH_ASSIGN(StoredContents found, read(reference));
  auto& [files, entry, source] = found;
  {
    LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kShared));
    LLMPATCH_TRY(check_not_revoked(entry));
  }
  StoredPatch stored;
  LLMPATCH_ASSIGN(const Trust own, policy());
  if (trust.empty() && own.empty() && entry.signer) {
    LLMPATCH_ASSIGN(Patch patch, patch_from_files(files, source));
    stored.loaded = recorded(std::move(patch), entry);
  } else {
    LLMPATCH_ASSIGN(stored.loaded, load_files(std::move(files), source, trust, allow));
  }
  const Manifest& manifest = stored.loaded.patch.manifest;
  if (manifest.name != entry.name || manifest.version != entry.version) {
    return inconsistent(entry,
                        "found the files of patch " + manifest.name + " " + manifest.version);
  }
  if (is_expired(entry)) stored.expired = entry.title() + " expired at " + *entry.expires;
  stored.entry = std::move(entry);
  return stored;
}

}  // namespace llmpatch
