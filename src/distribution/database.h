// SQLite behind Result: one connection, statements with parameters, transactions.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"

struct sqlite3;

namespace llmpatch {

// A value of a column or parameter; nothing is SQL's NULL.
using SqlValue = std::variant<std::monostate, std::int64_t, std::string>;

// NULL for one that is not there.
SqlValue sql_optional(const std::optional<std::string>& text);

// One row of a result. A column of another type than asked for is 0 or empty: the schema is strict.
class SqlRow {
 public:
  explicit SqlRow(std::vector<SqlValue> values) : values_(std::move(values)) {}
  std::int64_t integer(std::size_t column) const;
  std::string text(std::size_t column) const;
  std::optional<std::string> optional_text(std::size_t column) const;

 private:
  std::vector<SqlValue> values_;
};

// An open database file. Used by one thread at a time. Errors of all functions: kLimit when another
// process has it locked for long; kCorrupt when it is damaged or no database; kIo when the system
// refused; kInternal for a bad statement.
class Database {
 public:
  // Opens `file`, which is made empty where it is missing. A change that a process left half done
  // is taken back at the first use.
  static Result<Database> open(const std::filesystem::path& file);

  // Runs one statement and gives all its rows.
  Result<std::vector<SqlRow>> query(const char* sql,
                                    std::initializer_list<SqlValue> parameters = {});
  // Runs one statement that gives no rows.
  Status run(const char* sql, std::initializer_list<SqlValue> parameters = {});
  // Runs several statements without parameters.
  Status run_script(const char* sql);
  // The key of the row inserted last.
  std::int64_t last_id() const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  Database(sqlite3* handle, std::string where) : handle_(handle), where_(std::move(where)) {}
  Error error() const;

  std::unique_ptr<sqlite3, Close> handle_;
  std::string where_;  // for messages
};

// A change that happens whole or not at all, on the disk when commit() returns. Destroyed without,
// it is taken back. From the begin on no other connection can write.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // null once it has ended
};

}  // namespace llmpatch
