#include "distribution/channel_records.h"

#include <algorithm>

#include "base/json.h"

namespace llmpatch {
namespace {

// Lists are written by this program; a database that somebody altered gives an empty one.
Result<std::vector<std::string>> read_list(const std::string& text) {
  LLMPATCH_ASSIGN(const Json json, parse_json(text, "store"));
  std::vector<std::string> list;
  for (const Json& each : json) {
    if (each.is_string()) list.push_back(each.get<std::string>());
  }
  return list;
}

SqlValue or_null(const std::string& text) { return text.empty() ? SqlValue() : SqlValue(text); }

}  // namespace

bool Subscription::follows(const std::string& name) const {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

namespace records {

Result<std::vector<Subscription>> subscriptions(Database& database) {
  LLMPATCH_ASSIGN(
      const std::vector<SqlRow> rows,
      database.query("SELECT url, mirrors, names, on_revoke, generation, latest, root, timestamp,"
                     " snapshot, targets FROM channels ORDER BY id"));
  std::vector<Subscription> found;
  for (const SqlRow& row : rows) {
    Subscription each;
    each.url = row.text(0);
    LLMPATCH_ASSIGN(each.mirrors, read_list(row.text(1)));
    LLMPATCH_ASSIGN(each.names, read_list(row.text(2)));
    each.on_revoke = row.text(3) == "unpatched" ? OnRevoke::kUnpatched : OnRevoke::kRefuse;
    each.generation = row.integer(4);
    each.latest = row.text(5);
    each.believed = {row.text(6), row.text(7), row.text(8), row.text(9)};
    found.push_back(std::move(each));
  }
  return found;
}

Status put_subscription(Database& database, const Subscription& each) {
  return database.run(
      "INSERT INTO channels(url, mirrors, names, on_revoke, generation, latest, root, timestamp,"
      " snapshot, targets) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
      " ON CONFLICT(url) DO UPDATE SET mirrors = ?2, names = ?3, on_revoke = ?4, generation = ?5,"
      " latest = ?6, root = ?7, timestamp = ?8, snapshot = ?9, targets = ?10",
      {each.url, Json(each.mirrors).dump(), Json(each.names).dump(),
       std::string(each.on_revoke == OnRevoke::kUnpatched ? "unpatched" : "refuse"),
       each.generation, each.latest, each.believed.root, or_null(each.believed.timestamp),
       or_null(each.believed.snapshot), or_null(each.believed.targets)});
}

Result<bool> remove_subscription(Database& database, const std::string& url) {
  LLMPATCH_ASSIGN(const std::vector<SqlRow> rows,
                  database.query("DELETE FROM channels WHERE url = ?1 RETURNING id", {url}));
  return !rows.empty();
}

Result<bool> add_revocation(Database& database, const Revocation& each) {
  LLMPATCH_ASSIGN(
      const std::vector<SqlRow> rows,
      database.query("INSERT OR IGNORE INTO revocations(name, version, digest, channel, seen)"
                     " VALUES(?1, ?2, ?3, ?4, ?5) RETURNING name",
                     {each.name, each.version, each.digest, each.channel, each.seen}));
  return !rows.empty();
}

Result<std::optional<Revocation>> find_revocation(Database& database, const std::string& name,
                                                  const std::string& version,
                                                  const std::string& digest) {
  LLMPATCH_ASSIGN(
      const std::vector<SqlRow> rows,
      database.query("SELECT name, version, digest, channel, seen FROM revocations"
                     " WHERE name = ?1 AND (version = ?2 OR digest = ?3) ORDER BY seen LIMIT 1",
                     {name, version, digest}));
  if (rows.empty()) return std::optional<Revocation>();
  const SqlRow& row = rows[0];
  return std::optional(Revocation{row.text(0), row.text(1), row.text(2), row.text(3), row.text(4)});
}

}  // namespace records
}  // namespace llmpatch
