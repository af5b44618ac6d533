// Store::install and its parts.
#include <algorithm>

#include "base/sha256.h"
#include "distribution/store.h"
#include "patch/expiry.h"
#include "trust/statement.h"
#include "trust/verify.h"

namespace llmpatch {
namespace {

InstalledPatch entry_of_patch(const TrustedPatch& loaded, const PatchFiles& files) {
  const Manifest& manifest = loaded.patch.manifest;
  InstalledPatch entry;
  entry.name = manifest.name;
  entry.version = manifest.version;
  entry.digest = root_digest(file_digests(files));
  entry.sequence = manifest.sequence;
  entry.expires = manifest.expires;
  entry.risk = manifest.risk;
  entry.summary = manifest.summary;
  entry.signer = loaded.signer;
  return entry;
}

bool is_same(const std::optional<Signer>& a, const std::optional<Signer>& b) {
  if (!a || !b) return !a && !b;
  return a->key == b->key && a->subject == b->subject && a->root == b->root;
}

bool is_same(const std::vector<StoredFile>& a, const std::vector<StoredFile>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const StoredFile& x, const StoredFile& y) {
                      return x.name == y.name && x.sha256 == y.sha256;
                    });
}

// How many of a patch's files are not what was recorded and can be had again from `files`.
std::size_t count_damaged(const std::vector<StoredFile>& recorded, const PatchFiles& files,
                          const Blobs& blobs) {
  return static_cast<std::size_t>(
      std::count_if(recorded.begin(), recorded.end(), [&](const StoredFile& file) {
        const auto found = files.find(file.name);
        return found != files.end() && sha256_hex(found->second) == file.sha256 &&
               !blobs.get(file.sha256, file.size).ok();
      }));
}

Error denied(const InstalledPatch& patch, const std::string& message, const char* hint) {
  return make_error(ErrorKind::kDenied, "store", patch.title() + ": " + message, hint);
}

}  // namespace

Result<Change> Store::install(const std::filesystem::path& path, const InstallOptions& options) {
  const auto read = [&]() -> Result<PatchFiles> {
    LLMPATCH_ASSIGN(const Trust own, policy());
    const bool verifies = !options.trust.empty() || !own.empty();
    return verifies ? read_signed_files(path) : read_patch_files(path);
  };
  return install(path, read, options);
}

Result<Change> Store::install(const std::filesystem::path& source, const ReadFiles& read,
                              const InstallOptions& options) {
  HistoryEntry entry;
  entry.operation = "install";
  PatchFiles files;
  const auto load = [&]() -> Result<TrustedPatch> {
    LLMPATCH_ASSIGN(files, read());
    LLMPATCH_ASSIGN(TrustedPatch patch,
                    load_files(files, source, options.trust, options.allow_unsigned));
    if (options.check) LLMPATCH_TRY(options.check(patch.patch.manifest, files));
    return patch;
  };
  const Result<TrustedPatch> loaded = load();
  if (!loaded.ok()) {
    const Result<StoreLock> held = lock(LockMode::kExclusive);
    return held.ok() ? refuse(entry, loaded.error()) : loaded.error();
  }
  // For the history, in case it is refused.
  const InstalledPatch patch = entry_of_patch(*loaded, files);
  entry.name = patch.name;
  entry.version = patch.version;
  entry.digest = patch.digest;
  if (patch.signer) entry.signer = patch.signer->to_string();

  return run(entry, [&](HistoryEntry& step) -> Result<Change> {
    LLMPATCH_ASSIGN(Change change, put(*loaded, files, options));
    if (!options.activate) return change;
    LLMPATCH_ASSIGN(Change activated, activate_found(change.patch, options.allow_expired));
    LLMPATCH_TRY(record_change(step, change));
    step.operation = "activate";
    activated.changed = activated.changed || change.changed;
    activated.repaired = change.repaired;
    // Both may have said that it has expired.
    for (std::string& line : activated.warnings) {
      const auto& said = change.warnings;
      if (std::find(said.begin(), said.end(), line) == said.end()) {
        change.warnings.push_back(std::move(line));
      }
    }
    activated.warnings = std::move(change.warnings);
    return activated;
  });
}

Result<Change> Store::put(const TrustedPatch& loaded, const PatchFiles& files,
                          const InstallOptions& options) {
  InstalledPatch patch = entry_of_patch(loaded, files);
  LLMPATCH_TRY(check_not_revoked(patch));
  LLMPATCH_ASSIGN(const std::vector<InstalledPatch> others,
                  records::patches(database_, patch.name));
  for (const InstalledPatch& other : others) {
    if (other.version != patch.version) continue;
    if (other.digest == patch.digest) return renew(other, loaded, files);
    return make_error(ErrorKind::kExists, "store",
                      patch.title() + ": found it installed with other contents, sha256:" +
                          other.digest + ", expected sha256:" + patch.digest,
                      "what a version contains never changes: ask its maker for a new version, or "
                      "llmpatch remove the one that is there");
  }
  return add(std::move(patch), loaded, files, options);
}

Result<Change> Store::add(InstalledPatch patch, const TrustedPatch& loaded, const PatchFiles& files,
                          const InstallOptions& options) {
  Change change;
  if (!loaded.warning.empty()) change.warnings.push_back(loaded.warning);
  LLMPATCH_ASSIGN(const std::optional<NameState> state, records::name_state(database_, patch.name));
  if (state && patch.sequence < state->highest_sequence) {
    const std::string found = "found sequence " + std::to_string(patch.sequence) +
                              ", and one of sequence " + std::to_string(state->highest_sequence) +
                              " was here";
    if (!options.allow_downgrade) {
      return denied(patch, found, "say --allow-downgrade if you want the older one");
    }
    change.warnings.push_back(patch.title() + ": " + found + " (" + options.downgrade_reason + ")");
  }
  if (is_expired(patch)) {
    if (!options.allow_expired) {
      return denied(patch, "expired at " + *patch.expires,
                    "ask its maker for a newer one, or say --allow-expired");
    }
    change.warnings.push_back(patch.title() + " expired at " + *patch.expires +
                              " (--allow-expired)");
  }
  // Files that a process left behind when it died may not be on the disk: they are written anew.
  collect_garbage();
  patch.installed = utc_text(options_.clock());
  LLMPATCH_ASSIGN(const std::vector<StoredFile> stored, put_files(files));
  LLMPATCH_ASSIGN(patch.id, records::add_patch(database_, patch));
  LLMPATCH_TRY(records::set_files(database_, patch.id, stored));
  change.patch = std::move(patch);
  return change;
}

Result<Change> Store::renew(InstalledPatch patch, const TrustedPatch& loaded,
                            const PatchFiles& files) {
  Change change;
  bool renews = false;
  LLMPATCH_ASSIGN(const std::vector<StoredFile> before, records::files(database_, patch.id));
  change.repaired = count_damaged(before, files, blobs_);
  LLMPATCH_ASSIGN(const std::vector<StoredFile> after, put_files(files));
  // A signature that was verified is never given up for one that was not.
  const bool may_replace = loaded.signer || !patch.signer;
  if (may_replace) {
    if (!loaded.warning.empty()) change.warnings.push_back(loaded.warning);
    renews = !is_same(before, after) || !is_same(patch.signer, loaded.signer);
  }
  change.changed = renews || change.repaired > 0;
  if (renews) {
    LLMPATCH_TRY(records::set_files(database_, patch.id, after));
    LLMPATCH_TRY(records::set_signer(database_, patch.id, loaded.signer));
    patch.signer = loaded.signer;
  }
  change.patch = std::move(patch);
  return change;
}

Result<std::vector<StoredFile>> Store::put_files(const PatchFiles& files) {
  std::vector<StoredFile> stored;
  for (const auto& [name, bytes] : files) {
    LLMPATCH_ASSIGN(const std::string digest, blobs_.put(bytes));
    stored.push_back({name, digest, bytes.size()});
  }
  return stored;
}

}  // namespace llmpatch
