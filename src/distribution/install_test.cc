#include "distribution/test_store.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

using InstallTest = StoreTest;

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

TEST_F(InstallTest, RefusesWhatIsNotVerified) {
  Store store = open();
  const fs::path bare = patch("refuse", "1.0.0", 1), good = signed_patch("refuse", "1.0.0", 1);
  expect_error(store.install(bare, {}), ErrorKind::kUntrusted, "no signature");
  expect_error(store.install(bare, by_key()), ErrorKind::kUntrusted, "no signature");
  expect_error(store.install(good, {}), ErrorKind::kUnverifiable, "no key");
  std::ofstream(good / "README.md", std::ios::app) << "!";
  InstallOptions options = by_key();
  options.allow_unsigned = AllowUnsigned::kYes;
  expect_error(store.install(good, options), ErrorKind::kUntrusted, "README.md");
  expect_error(store.install(directory_ / "nothing", by_key()), ErrorKind::kNotFound, "nothing");
  EXPECT_EQ(listing(store), "");
  EXPECT_EQ(files_in(folder() / kBlobsFolder), 0u);
}

TEST_F(InstallTest, SaysAloudThatSomethingWasNotVerified) {
  Store store = open();
  InstallOptions options;
  options.allow_unsigned = AllowUnsigned::kYes;
  const Change change = store.install(patch("refuse", "1.0.0", 1), options).value();
  ASSERT_EQ(change.warnings.size(), 1u);
  EXPECT_NE(change.warnings[0].find("is not signed"), std::string::npos);
  EXPECT_FALSE(store.list().value()[0].signer);
  EXPECT_EQ(store.history().value()[0].detail, change.warnings[0]);
  EXPECT_FALSE(store.history().value()[0].signer);
}

TEST_F(InstallTest, OfTheSameContentsAgainChangesNothing) {
  Store store = open();
  const fs::path path = signed_patch("refuse", "1.0.0", 1);
  EXPECT_TRUE(store.install(path, by_key())->changed);
  EXPECT_FALSE(store.install(path, by_key())->changed);
  // Nor does it matter whether that would be let in today.
  put(store, "refuse", "2.0.0", 2);
  EXPECT_FALSE(store.install(path, by_key())->changed);
  EXPECT_EQ(listing(store), "refuse 2.0.0*, refuse 1.0.0");
}

TEST_F(InstallTest, RepairsDamagedFiles) {
  Store store = open();
  const fs::path path = signed_patch("refuse", "1.0.0", 1);
  ASSERT_TRUE(store.install(path, by_key()).ok());
  bool first = true;
  for (const auto& entry : fs::directory_iterator(folder() / kBlobsFolder)) {
    write_raw(entry.path(), "damaged");
    if (first) fs::remove(entry);
    first = false;
  }
  expect_error(store.load(stored("refuse@1.0.0"), {}, AllowUnsigned::kNo), ErrorKind::kCorrupt,
               "store");
  const auto damaged = files_in(folder() / kBlobsFolder) + 1;  // the removed one
  const Change change = store.install(path, by_key()).value();
  EXPECT_TRUE(change.changed);
  EXPECT_EQ(change.repaired, damaged);
  EXPECT_TRUE(store.load(stored("refuse@1.0.0"), trust(), AllowUnsigned::kNo).ok());
  const HistoryEntry line = store.history().value().back();
  EXPECT_EQ(line.outcome, "done");
  EXPECT_EQ(line.detail, "repaired damaged files: " + std::to_string(damaged));
  EXPECT_FALSE(store.install(path, by_key())->changed);
}

TEST_F(InstallTest, RefusesOtherContentsUnderTheSameVersion) {
  Store store = open();
  ASSERT_TRUE(store.install(signed_patch("refuse", "1.0.0", 1), by_key()).ok());
  const auto other = signed_patch("refuse", "1.0.0", 1, [](Manifest& m) { m.summary = "Other"; });
  expect_error(store.install(other, by_key()), ErrorKind::kExists, "other contents, sha256:");
  EXPECT_EQ(store.list().value()[0].summary, small_patch().manifest.summary);
}

TEST_F(InstallTest, RenewsTheSignatureButNeverGivesAVerifiedOneUp) {
  Store store = open();
  const fs::path path = signed_patch("refuse", "1.0.0", 1);
  const fs::path bare = patch("refuse", "1.0.0", 1);
  InstallOptions unsigned_too;
  unsigned_too.allow_unsigned = AllowUnsigned::kYes;
  ASSERT_TRUE(store.install(bare, unsigned_too).ok());
  EXPECT_FALSE(store.list().value()[0].signer);
  EXPECT_TRUE(store.install(path, by_key())->changed);
  EXPECT_EQ(store.list().value()[0].signer->key, key_.public_key().hint());
  EXPECT_FALSE(store.install(bare, unsigned_too)->changed);
  EXPECT_TRUE(store.load(stored("refuse@1.0.0"), trust(), AllowUnsigned::kNo).ok());

  const PrivateKey successor = PrivateKey::generate().value();
  sign(path, successor);
  InstallOptions options;
  options.trust.keys = {successor.public_key()};
  EXPECT_TRUE(store.install(path, options)->changed);
  EXPECT_EQ(store.list().value()[0].signer->key, successor.public_key().hint());
  EXPECT_TRUE(store.load(stored("refuse@1.0.0"), options.trust, AllowUnsigned::kNo).ok());
  EXPECT_FALSE(store.load(stored("refuse@1.0.0"), trust(), AllowUnsigned::kNo).ok());
}

TEST_F(InstallTest, RefusesAnOlderSequenceThanWasEverHere) {
  Store store = open();
  ASSERT_TRUE(store.install(signed_patch("refuse", "2.0.0", 5), by_key()).ok());
  ASSERT_TRUE(store.remove(stored("refuse@2.0.0")).ok());
  const fs::path old = signed_patch("refuse", "1.0.0", 4);
  expect_error(store.install(old, by_key()), ErrorKind::kDenied,
               "found sequence 4, and one of sequence 5 was here");
  ASSERT_TRUE(store.install(signed_patch("refuse", "2.0.1", 5), by_key()).ok());
  ASSERT_TRUE(store.install(signed_patch("other", "1.0.0", 1), by_key()).ok());
  InstallOptions options = by_key();
  options.allow_downgrade = true;
  const Change change = store.install(old, options).value();
  EXPECT_EQ(change.warnings.size(), 1u);
  // It was let in once; the mark stays.
  expect_error(store.install(signed_patch("refuse", "1.0.1", 4), by_key()), ErrorKind::kDenied,
               "sequence 5");
}

TEST_F(InstallTest, RefusesWhatHasExpired) {
  Store store = open();
  const fs::path path =
      signed_patch("refuse", "1.0.0", 1, [](Manifest& m) { m.expires = "2027-01-01T00:00:00Z"; });
  expect_error(store.install(path, by_key()), ErrorKind::kDenied, "expired at 2027-01-01");
  InstallOptions options = by_key();
  options.allow_expired = true;
  EXPECT_EQ(store.install(path, options)->warnings.size(), 1u);
  expect_error(store.activate(stored("refuse"), false), ErrorKind::kDenied,
               "expired at 2027-01-01");
  EXPECT_EQ(store.activate(stored("refuse"), true)->warnings.size(), 1u);
}

TEST_F(InstallTest, ActivatesInTheSameStepOrDoesNothing) {
  Store store = open();
  InstallOptions options = by_key();
  options.activate = true;
  const fs::path path = signed_patch("refuse", "1.0.0", 1, [](Manifest& m) { m.required = {"a"}; });
  expect_error(store.install(path, options), ErrorKind::kMismatch, "requires a");
  EXPECT_EQ(listing(store), "");
  put(store, "a", "1.0.0", 1);
  EXPECT_TRUE(store.install(path, options)->patch.active);
  EXPECT_EQ(listing(store), "a 1.0.0*, refuse 1.0.0*");
}

}  // namespace
}  // namespace llmpatch
