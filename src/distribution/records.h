// What a store's database says: every statement of SQL about patches stands in records.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "distribution/database.h"
#include "trust/trust.h"

namespace llmpatch {

// A patch of the store. Times are is_utc_time.
struct InstalledPatch {
  std::int64_t id = 0;  // its row
  std::string name, version;
  std::string digest;  // root_digest of its files: names the contents, whoever signed them
  std::int64_t sequence = 0;
  std::optional<std::string> expires;
  std::string risk, summary;
  std::optional<Signer> signer;  // whose signature was verified when it was installed
  std::string installed;         // when
  bool active = false;

  std::string title() const { return "patch " + name + " " + version; }
};

// One file of a patch.
struct StoredFile {
  std::string name, sha256;
  std::uint64_t size = 0;
};

// One line of the history: an operation and what became of it.
struct HistoryEntry {
  std::int64_t id = 0;
  std::string time, who, operation;
  std::optional<std::string> name, version, digest, signer;  // as far as they were known
  std::string outcome;  // "done", "unchanged", "refused" or "failed"
  std::string detail;   // what was waived, or why it was refused; may be empty
};

// One time that a version became the active one.
struct Activation {
  std::int64_t id = 0;
  std::string version, digest;
  std::optional<std::int64_t> previous;  // what was active before it
};

// What is remembered of a name for good.
struct NameState {
  std::int64_t highest_sequence = 0;
  std::optional<Activation> latest;
  bool active = false;  // `latest` is in force
  // It is not, because it was revoked with none to take its place, and nobody has made a version
  // active or deactivated the name since.
  bool unreplaced = false;
};

// Every function fails as Database::query does. None makes a transaction of its own.
namespace records {

// All patches, or those of one name, by name and then from the newest to the oldest: by sequence,
// then by version.
Result<std::vector<InstalledPatch>> patches(Database& database, const std::string& name = "");
// Adds `patch` (its id and active are left aside) and raises the highest sequence of its name.
Result<std::int64_t> add_patch(Database& database, const InstalledPatch& patch);
// Says who signed the patch now.
Status set_signer(Database& database, std::int64_t id, const std::optional<Signer>& signer);
Status remove_patch(Database& database, std::int64_t id);

Result<std::vector<StoredFile>> files(Database& database, std::int64_t patch);
// Makes `files` the files of the patch.
Status set_files(Database& database, std::int64_t patch, const std::vector<StoredFile>& files);
// The digests of all files of all patches.
Result<std::set<std::string>> file_digests(Database& database);

// Nothing for a name never seen.
Result<std::optional<NameState>> name_state(Database& database, const std::string& name);
// Every activation of a name, the latest first.
Result<std::vector<Activation>> activations(Database& database, const std::string& name);
// Makes `patch` the active one of its name; `previous` is what rollback returns to from there.
Status set_active(Database& database, const InstalledPatch& patch,
                  const std::optional<std::int64_t>& previous);
Status set_inactive(Database& database, const std::string& name);
// The same, of a name whose active version was revoked.
Status set_unreplaced(Database& database, const std::string& name);

Status add_history(Database& database, const HistoryEntry& entry);
// Of all names, or of one and of none (refused before a name could be believed); the oldest first.
Result<std::vector<HistoryEntry>> history(Database& database, const std::string& name = "");

}  // namespace records
}  // namespace llmpatch
