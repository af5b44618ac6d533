#include "distribution/store.h"

#include <sys/stat.h>

#include "base/sha256.h"
#include "distribution/folder.h"
#include "distribution/schema.h"
#include "distribution/test_store.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

TEST_F(StoreTest, IsMadeForItsUserAlone) {
  expect_error(Store::open(folder()), ErrorKind::kNotFound, "found no folder");
  const Store store = open();
  struct stat info {};
  ASSERT_EQ(::stat(folder().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_TRUE(Store::open(folder()).ok());
}

TEST_F(StoreTest, RefusesAFolderThatOthersMayWrite) {
  static_cast<void>(open());
  ASSERT_EQ(::chmod(folder().c_str(), 0770), 0);
  expect_error(Store::open(folder()), ErrorKind::kDenied, "other users may write");
}

TEST_F(StoreTest, LooksAtWhatIsInsideAFolderThatOthersMayEnter) {
  static_cast<void>(open());
  ASSERT_EQ(::chmod(folder().c_str(), 0755), 0);
  struct stat info {};
  ASSERT_EQ(::stat((folder() / kDatabaseFile).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_TRUE(Store::open(folder()).ok());
  for (const char* name : {kDatabaseFile, kLockFile, kBlobsFolder}) {
    ASSERT_EQ(::stat((folder() / name).c_str(), &info), 0) << name;
    ASSERT_EQ(::chmod((folder() / name).c_str(), info.st_mode | 0020), 0);
    expect_error(Store::open(folder()), ErrorKind::kDenied, "other users may write");
    ASSERT_EQ(::chmod((folder() / name).c_str(), info.st_mode), 0);
  }
  fs::rename(folder() / kBlobsFolder, folder() / "elsewhere");
  fs::create_directory_symlink("elsewhere", folder() / kBlobsFolder);
  expect_error(Store::open(folder()), ErrorKind::kDenied, "another kind of file");
}

TEST_F(StoreTest, RefusesAFolderWithOtherThingsAndAFile) {
  fs::create_directory(folder());
  write_raw(folder() / "thesis.txt", "x");
  StoreOptions options;
  options.create = true;
  expect_error(Store::open(folder(), options), ErrorKind::kDenied, "other things");
  EXPECT_FALSE(fs::exists(folder() / kDatabaseFile));
  expect_error(Store::open(folder() / "thesis.txt", options), ErrorKind::kDenied, "found a file,");
  expect_error(Store::open(folder() / "thesis.txt/store", options), ErrorKind::kDenied,
               "a file on the way to it");
  fs::create_directory_symlink("nowhere", directory_ / "link");
  expect_error(Store::open(directory_ / "link", options), ErrorKind::kDenied, "a link to nothing");
}

// What was revoked would be forgotten, and a revoked patch be installed anew.
TEST_F(StoreTest, RefusesPatchesWhoseDatabaseIsLost) {
  {
    Store store = open();
    ASSERT_TRUE(store.install(signed_patch("refuse", "1.0.0", 1), by_key()).ok());
  }
  StoreOptions options;
  options.create = true;
  fs::resize_file(folder() / kDatabaseFile, 0);
  expect_error(Store::open(folder(), options), ErrorKind::kCorrupt, "what was revoked");
  fs::remove(folder() / kDatabaseFile);
  expect_error(Store::open(folder(), options), ErrorKind::kCorrupt, "what was revoked");
  EXPECT_FALSE(fs::exists(folder() / kDatabaseFile));
}

TEST_F(StoreTest, RefusesANewerSchemaAndAnotherDatabase) {
  static_cast<void>(open());
  const auto change = [&](const char* sql) {
    ASSERT_TRUE(Database::open(folder() / kDatabaseFile).value().run_script(sql).ok());
  };
  change("PRAGMA user_version = 4");
  expect_error(Store::open(folder()), ErrorKind::kUnsupported,
               "found schema 4, expected at most 3");
  change("PRAGMA user_version = 1; PRAGMA application_id = 7");
  expect_error(Store::open(folder()), ErrorKind::kCorrupt, "another program's database");
  write_raw(folder() / kDatabaseFile, std::string(5000, 'x'));
  expect_error(Store::open(folder()), ErrorKind::kCorrupt, "not a database");
}

TEST_F(StoreTest, AddsTheTablesThatAStoreOfTheFirstVersionHasNot) {
  {
    Store store = open();
    put(store, "refuse", "1.0.0", 1);
  }
  ASSERT_TRUE(Database::open(folder() / kDatabaseFile)
                  .value()
                  .run_script("DROP TABLE channels; DROP TABLE revocations; DROP TABLE unreplaced;"
                              " PRAGMA user_version = 1")
                  .ok());
  Store store = open();
  EXPECT_EQ(listing(store), "refuse 1.0.0*");
  EXPECT_TRUE(store.subscriptions()->empty());
  Database database = Database::open(folder() / kDatabaseFile).value();
  EXPECT_EQ(database.query("PRAGMA user_version").value()[0].integer(0), 3);
}

TEST_F(StoreTest, GivesTheBytesThatWereVerified) {
  Store store = open();
  const fs::path source = signed_patch("refuse", "1.0.0", 1);
  const PatchFiles files = read_patch_directory(source).value();
  const Change change = store.install(source, by_key()).value();
  fs::remove_all(source);

  const StoredPatch read = store.load(stored("refuse@1.0.0"), {}, AllowUnsigned::kNo).value();
  EXPECT_EQ(read.loaded.patch.rows.values, small_patch().rows.values);
  EXPECT_EQ(read.loaded.signer->key, key_.public_key().hint());
  EXPECT_EQ(read.loaded.warning, "");
  EXPECT_EQ(read.expired, "");
  const auto by_digest = stored("refuse@sha256:" + change.patch.digest);
  EXPECT_EQ(store.load(by_digest, trust(), AllowUnsigned::kNo)->loaded.root_digest,
            change.patch.digest);
  for (const auto& [name, bytes] : files) {
    EXPECT_EQ(Blobs(folder() / kBlobsFolder).get(sha256_hex(bytes), bytes.size()).value(), bytes);
  }
}

TEST_F(StoreTest, VerifiesAgainUnderAKeyThatIsGiven) {
  Store store = open();
  put(store, "refuse", "1.0.0", 1);
  Trust stranger;
  stranger.keys = {PrivateKey::generate()->public_key()};
  expect_error(store.load(stored("refuse"), stranger, AllowUnsigned::kYes), ErrorKind::kUntrusted,
               "found a signature by key");
  EXPECT_TRUE(store.load(stored("refuse"), trust(), AllowUnsigned::kNo).ok());
}

TEST_F(StoreTest, LoadsWhatWasNotVerifiedOnlyWhenThatIsSaidAgain) {
  Store store = open();
  InstallOptions options;
  options.allow_unsigned = AllowUnsigned::kYes;
  ASSERT_TRUE(store.install(patch("bare", "1.0.0", 1), options).ok());
  ASSERT_TRUE(store.install(signed_patch("unchecked", "1.0.0", 1), options).ok());
  expect_error(store.load(stored("bare@1.0.0"), {}, AllowUnsigned::kNo), ErrorKind::kUntrusted,
               "found no signature");
  expect_error(store.load(stored("unchecked@1.0.0"), {}, AllowUnsigned::kNo),
               ErrorKind::kUnverifiable, "no key to check it with");
  EXPECT_NE(store.load(stored("bare@1.0.0"), {}, AllowUnsigned::kYes)->loaded.warning, "");
  EXPECT_EQ(store.load(stored("unchecked@1.0.0"), trust(), AllowUnsigned::kNo)->loaded.warning, "");
}

TEST_F(StoreTest, NamesWhatItHasInsteadOfWhatIsMissing) {
  Store store = open();
  expect_error(store.load(stored("refuse"), {}, AllowUnsigned::kNo), ErrorKind::kNotFound,
               "found none of that name");
  ASSERT_TRUE(store.install(signed_patch("refuse", "1.0.0", 1), by_key()).ok());
  ASSERT_TRUE(store.install(signed_patch("refuse", "1.10.0", 1), by_key()).ok());
  expect_error(store.load(stored("refuse"), {}, AllowUnsigned::kNo), ErrorKind::kNotFound,
               "found no active version");
  expect_error(store.load(stored("refuse@2.0.0"), {}, AllowUnsigned::kNo), ErrorKind::kNotFound,
               "found only 1.10.0, 1.0.0");
}

TEST_F(StoreTest, FindsEveryDamagedFile) {
  Store store = open();
  put(store, "refuse", "1.0.0", 1);
  for (const auto& entry : fs::directory_iterator(folder() / kBlobsFolder)) {
    const std::string good = read_file(entry.path(), 1 << 20, "test").value();
    std::string bad = good;
    bad[bad.size() / 2] ^= 1;
    for (const std::string& content : {bad, good + "x", good.substr(1), std::string()}) {
      write_raw(entry.path(), content);
      expect_error(store.load(stored("refuse"), {}, AllowUnsigned::kYes), ErrorKind::kCorrupt,
                   entry.path().filename().string());
    }
    write_raw(entry.path(), good);
  }
  EXPECT_TRUE(store.load(stored("refuse"), {}, AllowUnsigned::kNo).ok());
}

TEST_F(StoreTest, FindsFilesExchangedInTheDatabase) {
  Store store = open();
  put(store, "refuse", "1.0.0", 1);
  put(store, "gender", "1.0.0", 1);
  Database database = Database::open(folder() / kDatabaseFile).value();
  ASSERT_TRUE(database
                  .run_script("UPDATE files SET (sha256, size) = (SELECT sha256, size FROM files"
                              " WHERE patch = 2 AND file = 'README.md')"
                              " WHERE patch = 1 AND file = 'README.md'")
                  .ok());
  expect_error(store.load(stored("refuse"), {}, AllowUnsigned::kYes), ErrorKind::kCorrupt,
               "patch refuse 1.0.0: found digest");
}

TEST_F(StoreTest, GoesOnWithAnActivePatchThatExpires) {
  Store store = open();
  put(store, "refuse", "1.0.0", 1,
      [](Manifest& manifest) { manifest.expires = "2027-02-01T00:00:00Z"; });
  now_ += 31 * 24 * 3600 - 1;
  EXPECT_EQ(store.load(stored("refuse"), {}, AllowUnsigned::kNo)->expired, "");
  now_ += 1;
  EXPECT_EQ(store.load(stored("refuse"), {}, AllowUnsigned::kNo)->expired,
            "patch refuse 1.0.0 expired at 2027-02-01T00:00:00Z");
}

TEST_F(StoreTest, TellsWhoDidWhatAndWhen) {
  Store store = open();
  put(store, "refuse", "1.0.0", 1);
  expect_error(store.remove(stored("refuse@1.0.0")), ErrorKind::kDenied, "it is active");
  expect_error(store.install(patch("gender", "1.0.0", 1), by_key()), ErrorKind::kUntrusted,
               "found no signature");
  ASSERT_TRUE(store.activate(stored("refuse"), false).ok());
  const std::vector<HistoryEntry> entries = store.history().value();
  ASSERT_EQ(entries.size(), 5u);
  const char* expected[][2] = {{"install", "done"},
                               {"activate", "done"},
                               {"remove", "refused"},
                               {"install", "refused"},
                               {"activate", "unchanged"}};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].operation, expected[i][0]);
    EXPECT_EQ(entries[i].outcome, expected[i][1]);
    EXPECT_EQ(entries[i].time, "2027-01-01T00:00:00Z");
    EXPECT_EQ(entries[i].who, "tester@here");
  }
  EXPECT_EQ(entries[0].signer, "key " + key_.public_key().hint());
  EXPECT_EQ(entries[0].digest, store.list().value()[0].digest);
  EXPECT_NE(entries[3].detail.find("found no signature"), std::string::npos);
  // Of any name, since nobody knows which one it had.
  EXPECT_EQ(store.history("refuse")->size(), 5u);
  EXPECT_EQ(store.history("gender")->size(), 1u);
}

}  // namespace
}  // namespace llmpatch
