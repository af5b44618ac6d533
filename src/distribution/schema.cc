#include "distribution/schema.h"

namespace llmpatch {
namespace {

constexpr std::int64_t kApplicationId = 0x6c6d7073;  // "lmps"

// `names` remembers what must outlive the patches: the highest sequence, and the latest activation,
// which `active` says is in force. `activations` is a chain: `previous` is what was active before,
// as rollback sees it. `history` is only ever added to.
constexpr const char* kTables = R"(
  CREATE TABLE names(
    name TEXT PRIMARY KEY,
    highest_sequence INTEGER NOT NULL,
    activation INTEGER REFERENCES activations(id),
    active INTEGER NOT NULL CHECK(active = 0 OR (active = 1 AND activation IS NOT NULL))
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE patches(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL REFERENCES names(name),
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    expires TEXT,
    risk TEXT NOT NULL,
    summary TEXT NOT NULL,
    signer_key TEXT,
    signer_subject TEXT,
    signer_root TEXT,
    installed TEXT NOT NULL,
    UNIQUE(name, version)
  ) STRICT;
  CREATE TABLE files(
    patch INTEGER NOT NULL REFERENCES patches(id) ON DELETE CASCADE,
    file TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY(patch, file)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE activations(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL REFERENCES names(name),
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    previous INTEGER REFERENCES activations(id)
  ) STRICT;
  CREATE TABLE history(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    who TEXT NOT NULL,
    operation TEXT NOT NULL,
    name TEXT,
    version TEXT,
    digest TEXT,
    signer TEXT,
    outcome TEXT NOT NULL CHECK(outcome IN ('done', 'unchanged', 'refused', 'failed')),
    detail TEXT NOT NULL
  ) STRICT;
  PRAGMA application_id = 1819111539;
  PRAGMA user_version = 1;
)";

// Since version 2. A channel is known by its first address; `mirrors` and `names` are lists in
// JSON, an empty one of names standing for all. The four files are as they came, NULL until one was
// believed. `latest` is the latest start of an update, `generation` grows with each change. What
// was revoked stays so, whatever becomes of the channel that said it.
constexpr const char* kChannelTables = R"(
  CREATE TABLE channels(
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL UNIQUE,
    mirrors TEXT NOT NULL,
    names TEXT NOT NULL,
    on_revoke TEXT NOT NULL CHECK(on_revoke IN ('refuse', 'unpatched')),
    generation INTEGER NOT NULL,
    latest TEXT NOT NULL,
    root TEXT NOT NULL,
    timestamp TEXT,
    snapshot TEXT,
    targets TEXT
  ) STRICT;
  CREATE TABLE revocations(
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    channel TEXT NOT NULL,
    seen TEXT NOT NULL,
    PRIMARY KEY(name, version, digest)
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = 2;
)";

// Since version 3. Names of which no version is active because the one that was has been revoked
// and none could take its place; until somebody says what is to be active, or that nothing is.
constexpr const char* kRevokedNames = R"(
  CREATE TABLE unreplaced(
    name TEXT PRIMARY KEY REFERENCES names(name)
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = 3;
)";
static_assert(kApplicationId == 1819111539 && kStoreSchema == 3);

Result<std::int64_t> number(Database& database, const char* sql) {
  LLMPATCH_ASSIGN(const std::vector<SqlRow> rows, database.query(sql));
  return rows.empty() ? 0 : rows[0].integer(0);
}

}  // namespace

Result<bool> has_schema(Database& database) {
  LLMPATCH_ASSIGN(const std::int64_t objects,
                  number(database, "SELECT count(*) FROM sqlite_schema"));
  LLMPATCH_ASSIGN(const std::int64_t version, number(database, "PRAGMA user_version"));
  return objects > 0 && (version < 1 || version >= kStoreSchema);
}

Status ensure_schema(Database& database, const std::string& where) {
  LLMPATCH_ASSIGN(const std::int64_t objects,
                  number(database, "SELECT count(*) FROM sqlite_schema"));
  LLMPATCH_ASSIGN(const std::int64_t version, number(database, "PRAGMA user_version"));
  if (objects > 0) {
    LLMPATCH_ASSIGN(const std::int64_t id, number(database, "PRAGMA application_id"));
    if (id != kApplicationId || version < 1) {
      return make_error(ErrorKind::kCorrupt, "store",
                        where + ": found another program's database, expected a store");
    }
    if (version > kStoreSchema) {
      return make_error(ErrorKind::kUnsupported, "store",
                        where + ": found schema " + std::to_string(version) +
                            ", expected at most " + std::to_string(kStoreSchema),
                        "this store was written by a newer llmpatch: use that one");
    }
    if (version == kStoreSchema) return {};
  }
  LLMPATCH_ASSIGN(Transaction transaction, Transaction::begin(database));
  if (objects == 0) LLMPATCH_TRY(database.run_script(kTables));
  if (objects == 0 || version < 2) LLMPATCH_TRY(database.run_script(kChannelTables));
  LLMPATCH_TRY(database.run_script(kRevokedNames));
  return transaction.commit();
}

}  // namespace llmpatch
