#include "distribution/test_store.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class ActivateTest : public StoreTest {
 protected:
  Store store_ = open();

  void activate(const std::string& text) {
    const auto done = store_.activate(stored(text), false);
    ASSERT_TRUE(done.ok()) << done.error().to_string();
  }
};

TEST_F(ActivateTest, OneVersionOfANameAtATime) {
  put(store_, "refuse", "1.0.0", 1);
  put(store_, "refuse", "2.0.0", 2);
  EXPECT_EQ(listing(store_), "refuse 2.0.0*, refuse 1.0.0");
  EXPECT_EQ(store_.load(stored("refuse"), {}, AllowUnsigned::kNo)->entry.version, "2.0.0");
  activate("refuse@1.0.0");
  EXPECT_EQ(store_.load(stored("refuse"), {}, AllowUnsigned::kNo)->entry.version, "1.0.0");
  activate("refuse");  // the newest
  EXPECT_EQ(listing(store_), "refuse 2.0.0*, refuse 1.0.0");
  ASSERT_TRUE(store_.deactivate("refuse").ok());
  EXPECT_EQ(listing(store_), "refuse 2.0.0, refuse 1.0.0");
  EXPECT_FALSE(store_.deactivate("refuse")->changed);
  EXPECT_EQ(listing(store_), "refuse 2.0.0, refuse 1.0.0");
  expect_error(store_.deactivate("gender"), ErrorKind::kNotFound, "none of that name");
  expect_error(store_.activate(stored("refuse@3.0.0"), false), ErrorKind::kNotFound, "found only");
  expect_error(store_.activate(stored("gender"), false), ErrorKind::kNotFound, "none of that name");
}

TEST_F(ActivateTest, KeepsWhatAnActivePatchRequires) {
  put(store_, "base", "1.2.0", 1);
  put(store_, "more", "1.0.0", 1, [](Manifest& m) { m.required = {"base@^1.1.0"}; });
  expect_error(store_.deactivate("base"), ErrorKind::kMismatch,
               "deactivate base: patch more 1.0.0: requires base@^1.1.0: found none");
  ASSERT_TRUE(store_.install(signed_patch("base", "2.0.0", 2), by_key()).ok());
  expect_error(store_.activate(stored("base"), false), ErrorKind::kMismatch, "found 2.0.0");
  expect_error(store_.remove(stored("base@1.2.0")), ErrorKind::kDenied, "it is active");
  put(store_, "base", "1.3.0", 3);
  ASSERT_TRUE(store_.remove(stored("base@1.2.0")).ok());  // another version of it is active now
  ASSERT_TRUE(store_.deactivate("more").ok());
  activate("base@2.0.0");
  expect_error(store_.rollback("more"), ErrorKind::kMismatch, "requires base@^1.1.0: found 2.0.0");
  EXPECT_EQ(listing(store_), "base 1.3.0, base 2.0.0*, more 1.0.0");
}

TEST_F(ActivateTest, RefusesWhatExcludesAnother) {
  put(store_, "refuse", "1.0.0", 1, [](Manifest& m) { m.compose.conflicts = {"comply"}; });
  ASSERT_TRUE(store_.install(signed_patch("comply", "1.0.0", 1), by_key()).ok());
  expect_error(store_.activate(stored("comply"), false), ErrorKind::kMismatch,
               "activate comply@1.0.0: patch refuse 1.0.0: excludes patch comply");
  ASSERT_TRUE(store_.deactivate("refuse").ok());
  activate("comply");
  expect_error(store_.rollback("refuse"), ErrorKind::kMismatch, "excludes patch comply");
}

TEST_F(ActivateTest, RollbackGoesBackStepByStep) {
  expect_error(store_.rollback("refuse"), ErrorKind::kNotFound, "found no version");
  for (int i = 1; i <= 3; ++i) put(store_, "refuse", std::to_string(i) + ".0.0", i);
  EXPECT_EQ(store_.rollback("refuse")->patch.version, "2.0.0");
  EXPECT_EQ(store_.rollback("refuse")->patch.version, "1.0.0");
  expect_error(store_.rollback("refuse"), ErrorKind::kNotFound, "found no version");
  EXPECT_EQ(listing(store_), "refuse 3.0.0, refuse 2.0.0, refuse 1.0.0*");
  // What is activated afterwards is a new step from there.
  activate("refuse");
  EXPECT_EQ(store_.rollback("refuse")->patch.version, "1.0.0");
  // The mark of the sequence is where it was.
  expect_error(store_.install(signed_patch("refuse", "2.5.0", 2), by_key()), ErrorKind::kDenied,
               "sequence 3");
}

TEST_F(ActivateTest, RollbackUndoesADeactivate) {
  put(store_, "refuse", "1.0.0", 1);
  put(store_, "refuse", "2.0.0", 2);
  ASSERT_TRUE(store_.deactivate("refuse").ok());
  EXPECT_EQ(store_.rollback("refuse")->patch.version, "2.0.0");
  ASSERT_TRUE(store_.deactivate("refuse").ok());
  activate("refuse@2.0.0");
  EXPECT_EQ(store_.rollback("refuse")->patch.version, "1.0.0");
}

TEST_F(ActivateTest, RollbackToAnyVersionThatWasActiveHere) {
  for (int i = 1; i <= 3; ++i) put(store_, "refuse", std::to_string(i) + ".0.0", i);
  ASSERT_TRUE(store_.install(signed_patch("refuse", "4.0.0", 4), by_key()).ok());
  EXPECT_EQ(store_.rollback("refuse", "1.0.0")->patch.version, "1.0.0");
  EXPECT_FALSE(store_.rollback("refuse", "1.0.0")->changed);
  EXPECT_EQ(store_.rollback("refuse", "3.0.0")->patch.version, "3.0.0");
  expect_error(store_.rollback("refuse", "4.0.0"), ErrorKind::kNotFound, "was active here");
  ASSERT_TRUE(store_.remove(stored("refuse@2.0.0")).ok());
  expect_error(store_.rollback("refuse"), ErrorKind::kNotFound, "2.0.0, which was active before");
  expect_error(store_.rollback("refuse", "2.0.0"), ErrorKind::kNotFound,
               "2.0.0, which was active before, has been removed");
  EXPECT_EQ(listing(store_), "refuse 4.0.0, refuse 3.0.0*, refuse 1.0.0");
}

TEST_F(ActivateTest, RollbackKnowsAVersionByItsContents) {
  put(store_, "refuse", "1.0.0", 1);
  put(store_, "refuse", "2.0.0", 2);
  ASSERT_TRUE(store_.remove(stored("refuse@1.0.0")).ok());
  InstallOptions options = by_key();
  options.allow_downgrade = true;
  const auto change = [](Manifest& m) { m.summary = "Another"; };
  ASSERT_TRUE(store_.install(signed_patch("refuse", "1.0.0", 1, change), options).ok());
  expect_error(store_.rollback("refuse"), ErrorKind::kNotFound, "has been removed");
  expect_error(store_.rollback("refuse", "1.0.0"), ErrorKind::kNotFound, "has been removed");
}

TEST_F(ActivateTest, RollbackReturnsToAnExpiredVersionWithAWarning) {
  put(store_, "refuse", "1.0.0", 1, [](Manifest& m) { m.expires = "2027-01-02T00:00:00Z"; });
  put(store_, "refuse", "2.0.0", 2);
  now_ += 7 * 24 * 3600;
  const Change change = store_.rollback("refuse").value();
  EXPECT_EQ(change.warnings,
            std::vector<std::string>{"patch refuse 1.0.0 expired at 2027-01-02T00:00:00Z"});
}

TEST_F(ActivateTest, RemoveTakesTheFilesThatNobodyElseHas) {
  put(store_, "refuse", "1.0.0", 1);
  put(store_, "gender", "1.0.0", 1);  // the same rows
  put(store_, "refuse", "2.0.0", 2);
  const auto blobs = [&] {
    return std::distance(fs::directory_iterator(folder() / kBlobsFolder), {});
  };
  const auto before = blobs();
  expect_error(store_.remove(stored("refuse")), ErrorKind::kInvalidArgument, "refuse@version");
  ASSERT_TRUE(store_.remove(stored("refuse@1.0.0")).ok());
  EXPECT_EQ(blobs(), before - 3);  // README.md, manifest.json and model.sig were its own
  EXPECT_TRUE(store_.load(stored("refuse"), trust(), AllowUnsigned::kNo).ok());
  EXPECT_TRUE(store_.load(stored("gender"), trust(), AllowUnsigned::kNo).ok());
  write_raw(folder() / kBlobsFolder / "left.partial-1", "x");
  ASSERT_TRUE(store_.deactivate("refuse").ok());
  EXPECT_EQ(blobs(), before - 3);
}

}  // namespace
}  // namespace llmpatch
