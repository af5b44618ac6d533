#include "distribution/records.h"

#include <algorithm>

#include "patch/semver.h"

namespace llmpatch::records {
namespace {

SqlValue sql_integer(const std::optional<std::int64_t>& value) {
  return value ? SqlValue(*value) : SqlValue();
}

InstalledPatch read_patch(const SqlRow& row) {
  InstalledPatch patch;
  patch.id = row.integer(0);
  patch.name = row.text(1);
  patch.version = row.text(2);
  patch.digest = row.text(3);
  patch.sequence = row.integer(4);
  patch.expires = row.optional_text(5);
  patch.risk = row.text(6);
  patch.summary = row.text(7);
  if (const auto key = row.optional_text(8)) patch.signer = Signer{*key, row.text(9), row.text(10)};
  patch.installed = row.text(11);
  patch.active = row.integer(12) != 0;
  return patch;
}

Activation read_activation(const SqlRow& row, std::size_t first) {
  Activation activation{row.integer(first), row.text(first + 1), row.text(first + 2), {}};
  if (const std::int64_t previous = row.integer(first + 3); previous != 0) {
    activation.previous = previous;
  }
  return activation;
}

bool is_newer(const InstalledPatch& a, const InstalledPatch& b) {
  if (a.name != b.name) return a.name < b.name;
  if (a.sequence != b.sequence) return a.sequence > b.sequence;
  return compare_semver(a.version, b.version) > 0;
}

}  // namespace

Result<std::vector<InstalledPatch>> patches(Database& database, const std::string& name) {
  LLMPATCH_ASSIGN(
      const std::vector<SqlRow> rows,
      database.query("SELECT p.id, p.name, p.version, p.digest, p.sequence, p.expires, p.risk,"
                     "  p.summary, p.signer_key, p.signer_subject, p.signer_root, p.installed,"
                     "  n.active = 1 AND a.version = p.version AND a.digest = p.digest"
                     " FROM patches p JOIN names n ON n.name = p.name"
                     " LEFT JOIN activations a ON a.id = n.activation"
                     " WHERE ?1 = '' OR p.name = ?1",
                     {name}));
  std::vector<InstalledPatch> found;
  for (const SqlRow& row : rows) found.push_back(read_patch(row));
  std::sort(found.begin(), found.end(), is_newer);
  return found;
}

Result<std::int64_t> add_patch(Database& database, const InstalledPatch& patch) {
  LLMPATCH_TRY(
      database.run("INSERT INTO names(name, highest_sequence, active) VALUES(?1, ?2, 0)"
                   " ON CONFLICT(name) DO UPDATE SET highest_sequence = max(highest_sequence, ?2)",
                   {patch.name, patch.sequence}));
  LLMPATCH_TRY(
      database.run("INSERT INTO patches(name, version, digest, sequence, expires, risk, summary,"
                   " installed) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                   {patch.name, patch.version, patch.digest, patch.sequence,
                    sql_optional(patch.expires), patch.risk, patch.summary, patch.installed}));
  const std::int64_t id = database.last_id();
  LLMPATCH_TRY(set_signer(database, id, patch.signer));
  return id;
}

Status set_signer(Database& database, std::int64_t id, const std::optional<Signer>& signer) {
  if (!signer) {
    return database.run(
        "UPDATE patches SET signer_key = NULL, signer_subject = NULL,"
        " signer_root = NULL WHERE id = ?1",
        {id});
  }
  return database.run(
      "UPDATE patches SET signer_key = ?2, signer_subject = ?3, signer_root = ?4"
      " WHERE id = ?1",
      {id, signer->key, signer->subject, signer->root});
}

Status remove_patch(Database& database, std::int64_t id) {
  return database.run("DELETE FROM patches WHERE id = ?1", {id});
}

Result<std::vector<StoredFile>> files(Database& database, std::int64_t patch) {
  LLMPATCH_ASSIGN(const std::vector<SqlRow> rows,
                  database.query("SELECT file, sha256, size FROM files WHERE patch = ?1", {patch}));
  std::vector<StoredFile> found;
  for (const SqlRow& row : rows) {
    found.push_back({row.text(0), row.text(1), static_cast<std::uint64_t>(row.integer(2))});
  }
  return found;
}

Status set_files(Database& database, std::int64_t patch, const std::vector<StoredFile>& files) {
  LLMPATCH_TRY(database.run("DELETE FROM files WHERE patch = ?1", {patch}));
  for (const StoredFile& file : files) {
    LLMPATCH_TRY(
        database.run("INSERT INTO files(patch, file, sha256, size) VALUES(?1, ?2, ?3, ?4)",
                     {patch, file.name, file.sha256, static_cast<std::int64_t>(file.size)}));
  }
  return {};
}

Result<std::set<std::string>> file_digests(Database& database) {
  LLMPATCH_ASSIGN(const std::vector<SqlRow> rows,
                  database.query("SELECT DISTINCT sha256 FROM files"));
  std::set<std::string> digests;
  for (const SqlRow& row : rows) digests.insert(row.text(0));
  return digests;
}

Result<std::optional<NameState>> name_state(Database& database, const std::string& name) {
  LLMPATCH_ASSIGN(
      const std::vector<SqlRow> rows,
      database.query("SELECT n.highest_sequence, n.active, a.id, a.version, a.digest, a.previous,"
                     "  EXISTS(SELECT 1 FROM unreplaced u WHERE u.name = n.name)"
                     " FROM names n LEFT JOIN activations a ON a.id = n.activation"
                     " WHERE n.name = ?1",
                     {name}));
  if (rows.empty()) return std::optional<NameState>();
  NameState state;
  state.highest_sequence = rows[0].integer(0);
  state.active = rows[0].integer(1) != 0;
  state.unreplaced = rows[0].integer(6) != 0;
  if (rows[0].integer(2) != 0) state.latest = read_activation(rows[0], 2);
  return std::optional(state);
}

Result<std::vector<Activation>> activations(Database& database, const std::string& name) {
  LLMPATCH_ASSIGN(const std::vector<SqlRow> rows,
                  database.query("SELECT id, version, digest, previous FROM activations"
                                 " WHERE name = ?1 ORDER BY id DESC",
                                 {name}));
  std::vector<Activation> found;
  for (const SqlRow& row : rows) found.push_back(read_activation(row, 0));
  return found;
}

Status set_active(Database& database, const InstalledPatch& patch,
                  const std::optional<std::int64_t>& previous) {
  LLMPATCH_TRY(database.run(
      "INSERT INTO activations(name, version, digest, previous) VALUES(?1, ?2, ?3, ?4)",
      {patch.name, patch.version, patch.digest, sql_integer(previous)}));
  LLMPATCH_TRY(database.run("DELETE FROM unreplaced WHERE name = ?1", {patch.name}));
  return database.run("UPDATE names SET activation = ?2, active = 1 WHERE name = ?1",
                      {patch.name, database.last_id()});
}

Status set_inactive(Database& database, const std::string& name) {
  LLMPATCH_TRY(database.run("DELETE FROM unreplaced WHERE name = ?1", {name}));
  return database.run("UPDATE names SET active = 0 WHERE name = ?1", {name});
}

Status set_unreplaced(Database& database, const std::string& name) {
  LLMPATCH_TRY(set_inactive(database, name));
  return database.run("INSERT INTO unreplaced(name) VALUES(?1)", {name});
}

Status add_history(Database& database, const HistoryEntry& entry) {
  return database.run(
      "INSERT INTO history(time, who, operation, name, version, digest, signer, outcome, detail)"
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
      {entry.time, entry.who, entry.operation, sql_optional(entry.name),
       sql_optional(entry.version), sql_optional(entry.digest), sql_optional(entry.signer),
       entry.outcome, entry.detail});
}

Result<std::vector<HistoryEntry>> history(Database& database, const std::string& name) {
  LLMPATCH_ASSIGN(const std::vector<SqlRow> rows,
                  database.query("SELECT id, time, who, operation, name, version, digest, signer,"
                                 " outcome, detail FROM history WHERE ?1 = '' OR name = ?1"
                                 " OR name IS NULL ORDER BY id",
                                 {name}));
  std::vector<HistoryEntry> entries;
  for (const SqlRow& row : rows) {
    entries.push_back({row.integer(0), row.text(1), row.text(2), row.text(3), row.optional_text(4),
                       row.optional_text(5), row.optional_text(6), row.optional_text(7),
                       row.text(8), row.text(9)});
  }
  return entries;
}

}  // namespace llmpatch::records
