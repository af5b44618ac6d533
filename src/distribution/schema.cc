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
static_assert(kApplicationId == 1819111539 && kStoreSchema == 1);

Result<std::int64_t> number(Database& database, const char* sql) {
  LLMPATCH_ASSIGN(const std::vector<SqlRow> rows, database.query(sql));
  return rows.empty() ? 0 : rows[0].integer(0);
}

}  // namespace

Result<bool> has_schema(Database& database) {
  LLMPATCH_ASSIGN(const std::int64_t objects,
                  number(database, "SELECT count(*) FROM sqlite_schema"));
  return objects > 0;
}

Status ensure_schema(Database& database, const std::string& where) {
  LLMPATCH_ASSIGN(const bool is_there, has_schema(database));
  if (!is_there) {
    LLMPATCH_ASSIGN(Transaction transaction, Transaction::begin(database));
    LLMPATCH_TRY(database.run_script(kTables));
    return transaction.commit();
  }
  LLMPATCH_ASSIGN(const std::int64_t id, number(database, "PRAGMA application_id"));
  LLMPATCH_ASSIGN(const std::int64_t version, number(database, "PRAGMA user_version"));
  if (id != kApplicationId || version < 1) {
    return make_error(ErrorKind::kCorrupt, "store",
                      where + ": found another program's database, expected a store");
  }
  if (version > kStoreSchema) {
    return make_error(ErrorKind::kUnsupported, "store",
                      where + ": found schema " + std::to_string(version) + ", expected at most " +
                          std::to_string(kStoreSchema),
                      "this store was written by a newer llmpatch: use that one");
  }
  return {};
}

}  // namespace llmpatch
