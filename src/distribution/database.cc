#include "distribution/database.h"

#include <sqlite3.h>

#include <utility>

namespace llmpatch {
namespace {

constexpr int kBusyMilliseconds = 30'000;

// A rollback journal, not a write-ahead log: the store's own lock lets nobody read while somebody
// writes, so a log would gain nothing, and a journal leaves one file that is whole by itself, on
// any file system. EXTRA is FULL and syncs the folder too once the journal is gone: what was
// reported as done is still done after a power cut.
constexpr const char* kSettings =
    "PRAGMA journal_mode = DELETE;"
    "PRAGMA synchronous = EXTRA;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON;";

ErrorKind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return ErrorKind::kLimit;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorKind::kCorrupt;
    case SQLITE_CANTOPEN:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return ErrorKind::kIo;
    default:
      return ErrorKind::kInternal;
  }
}

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

int bind(sqlite3_stmt* statement, int index, const SqlValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return sqlite3_bind_int64(statement, index, *integer);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_TRANSIENT,
                               SQLITE_UTF8);
  }
  return sqlite3_bind_null(statement, index);
}

SqlValue column(sqlite3_stmt* statement, int index) {
  switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, index)};
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
      const int size = sqlite3_column_bytes(statement, index);
      return text == nullptr ? std::string() : std::string(text, static_cast<std::size_t>(size));
    }
    default:
      return {};
  }
}

}  // namespace

SqlValue sql_optional(const std::optional<std::string>& text) {
  return text ? SqlValue(*text) : SqlValue();
}

std::int64_t SqlRow::integer(std::size_t column) const {
  const auto* value = std::get_if<std::int64_t>(&values_.at(column));
  return value == nullptr ? 0 : *value;
}

std::string SqlRow::text(std::size_t column) const {
  return optional_text(column).value_or(std::string());
}

std::optional<std::string> SqlRow::optional_text(std::size_t column) const {
  const auto* value = std::get_if<std::string>(&values_.at(column));
  return value == nullptr ? std::nullopt : std::optional(*value);
}

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close(handle); }

Error Database::error() const {
  return make_error(kind_of(sqlite3_extended_errcode(handle_.get())), "store",
                    where_ + ": " + sqlite3_errmsg(handle_.get()));
}

Result<Database> Database::open(const std::filesystem::path& file) {
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(file.c_str(), &handle, flags, nullptr);
  Database database(handle, file.string());
  if (handle == nullptr) return make_error(ErrorKind::kLimit, "store", "SQLite: out of memory");
  if (code != SQLITE_OK) return database.error();
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  LLMPATCH_TRY(database.run_script(kSettings));
  return database;
}

Result<std::vector<SqlRow>> Database::query(const char* sql,
                                            std::initializer_list<SqlValue> parameters) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(handle_.get(), sql, -1, &raw, nullptr) != SQLITE_OK) return error();
  const Statement statement(raw);
  int index = 0;
  for (const SqlValue& value : parameters) {
    if (bind(raw, ++index, value) != SQLITE_OK) return error();
  }
  std::vector<SqlRow> rows;
  int code = 0;
  while ((code = sqlite3_step(raw)) == SQLITE_ROW) {
    std::vector<SqlValue> values;
    for (int i = 0; i < sqlite3_column_count(raw); ++i) values.push_back(column(raw, i));
    rows.emplace_back(std::move(values));
  }
  if (code != SQLITE_DONE) return error();
  return rows;
}

Status Database::run(const char* sql, std::initializer_list<SqlValue> parameters) {
  LLMPATCH_TRY(query(sql, parameters));
  return {};
}

Status Database::run_script(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error();
  return {};
}

std::int64_t Database::last_id() const { return sqlite3_last_insert_rowid(handle_.get()); }

Result<Transaction> Transaction::begin(Database& database) {
  LLMPATCH_TRY(database.run("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  // SQLite has taken it back itself after some errors; then this one says so, and all is well.
  if (database_ != nullptr) static_cast<void>(database_->run("ROLLBACK").ok());
}

Status Transaction::commit() {
  LLMPATCH_TRY(database_->run("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace llmpatch
