#include "distribution/database.h"

#include <gtest/gtest.h>

#include "patch/test_patch.h"

namespace llmpatch {
namespace {

class DatabaseTest : public testing::Test {
 protected:
  Database open() { return Database::open(directory_ / "test.db").value(); }

  static std::int64_t count(Database& database) {
    return database.query("SELECT count(*) FROM t").value()[0].integer(0);
  }

  TestDirectory directory_;
};

TEST_F(DatabaseTest, BindsAndReadsEveryType) {
  Database database = open();
  ASSERT_TRUE(database.run_script("CREATE TABLE t(i INTEGER, s TEXT, n TEXT) STRICT").ok());
  const std::string text = "a'b\"\n\xc3\xa9";
  ASSERT_TRUE(
      database.run("INSERT INTO t VALUES(?1, ?2, ?3)", {std::int64_t{-7}, text, SqlValue()}).ok());
  EXPECT_EQ(database.last_id(), 1);
  const std::vector<SqlRow> rows = database.query("SELECT i, s, n FROM t").value();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].integer(0), -7);
  EXPECT_EQ(rows[0].text(1), text);
  EXPECT_EQ(rows[0].optional_text(2), std::nullopt);
  EXPECT_EQ(rows[0].text(2), "");
}

TEST_F(DatabaseTest, IsSetUpToLoseNothing) {
  Database database = open();
  EXPECT_EQ(database.query("PRAGMA journal_mode").value()[0].text(0), "delete");
  EXPECT_EQ(database.query("PRAGMA synchronous").value()[0].integer(0), 3);  // EXTRA
  EXPECT_EQ(database.query("PRAGMA foreign_keys").value()[0].integer(0), 1);
}

TEST_F(DatabaseTest, TakesBackWhatWasNotCommitted) {
  Database database = open();
  ASSERT_TRUE(database.run_script("CREATE TABLE t(i INTEGER) STRICT").ok());
  {
    const auto transaction = Transaction::begin(database);
    ASSERT_TRUE(database.run("INSERT INTO t VALUES(1)").ok());
  }
  EXPECT_EQ(count(database), 0);
  auto transaction = Transaction::begin(database);
  ASSERT_TRUE(database.run("INSERT INTO t VALUES(1)").ok());
  ASSERT_TRUE(transaction->commit().ok());
  Database other = open();
  EXPECT_EQ(count(other), 1);
}

TEST_F(DatabaseTest, SaysWhatIsWrong) {
  Database database = open();
  expect_error(database.run("INSERT INTO nowhere VALUES(1)"), ErrorKind::kInternal, "nowhere");
  write_raw(directory_ / "test.db", std::string(4096, 'x'));
  expect_error(Database::open(directory_ / "test.db"), ErrorKind::kCorrupt, "not a database");
  expect_error(Database::open(directory_ / "no/test.db"), ErrorKind::kIo, "unable to open");
}

}  // namespace
}  // namespace llmpatch
