// The policy that a store's owner keeps in it: how a key is withdrawn from what is installed.
#include <sys/stat.h>

#include "distribution/folder.h"
#include "distribution/test_store.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class StorePolicyTest : public StoreTest {
 protected:
  StorePolicyTest() : store_(open()) {
    fs::create_directory(folder() / kKeysFolder);
    write_raw(folder() / "keys/vendor.pub", key_.public_key().pem());
    write_raw(folder() / "keys/next.pub", next_.public_key().pem());
  }

  // Lets `key` sign the patches that match `pattern`, and nobody anything else.
  void only(const std::string& key, const std::string& pattern = "*") {
    write_raw(folder() / kPolicyFile, R"({"schema": 1, "rules": [{"patches": [")" + pattern +
                                          R"("], "keys": [")" + key + R"("]}]})");
  }
  Result<StoredPatch> load(const Trust& trust = {}, AllowUnsigned allow = AllowUnsigned::kNo) {
    return store_.load(stored("refuse"), trust, allow);
  }

  const PrivateKey next_ = PrivateKey::generate().value();
  Store store_;
};

TEST_F(StorePolicyTest, WithdrawsAKeyFromWhatIsInstalled) {
  put(store_, "refuse", "1.0.0", 1);
  only("keys/vendor.pub");
  EXPECT_EQ(load()->loaded.signer->key, key_.public_key().hint());
  EXPECT_TRUE(load(trust()).ok());

  only("keys/next.pub");
  for (const AllowUnsigned allow : {AllowUnsigned::kNo, AllowUnsigned::kYes}) {
    expect_error(load({}, allow), ErrorKind::kUntrusted, "found a signature by key");
    // A service that still names the old key does not bring it back.
    expect_error(load(trust(), allow), ErrorKind::kUntrusted, "no rule lets sign it");
  }
  EXPECT_NE(load().error().hint.find("trust.json"), std::string::npos);

  // Signed again, it is the same patch under the new key.
  const fs::path path = signed_patch("refuse", "1.0.0", 1);
  expect_error(store_.install(path, by_key()), ErrorKind::kUntrusted, "no rule");
  sign(path, next_);
  EXPECT_TRUE(store_.install(path, {})->changed);  // the policy says by whom
  EXPECT_EQ(load()->loaded.signer->key, next_.public_key().hint());
}

TEST_F(StorePolicyTest, KeepsWithdrawnVersionsFromBecomingActive) {
  put(store_, "refuse", "1.0.0", 1);
  put(store_, "refuse", "2.0.0", 2);
  only("keys/next.pub");
  expect_error(store_.activate(stored("refuse@1.0.0"), false), ErrorKind::kUntrusted,
               "refuse@1.0.0");
  expect_error(store_.rollback("refuse"), ErrorKind::kUntrusted, "found a signature by key");
  EXPECT_EQ(listing(store_), "refuse 2.0.0*, refuse 1.0.0");
  // What takes away is not in the way.
  ASSERT_TRUE(store_.deactivate("refuse").ok());
  ASSERT_TRUE(store_.remove(stored("refuse@1.0.0")).ok());
  EXPECT_EQ(store_.read(stored("refuse@2.0.0"))->files.size(), 5u);
}

TEST_F(StorePolicyTest, SaysWhichNamesAKeyMaySign) {
  put(store_, "refuse", "1.0.0", 1);
  only("keys/vendor.pub", "gender-*");
  expect_error(load(), ErrorKind::kUntrusted, "no rule lets sign it");
  only("keys/vendor.pub", "ref*");
  EXPECT_TRUE(load().ok());
}

TEST_F(StorePolicyTest, OnlyRestricts) {
  put(store_, "refuse", "1.0.0", 1);
  only(key_.public_key().hint());  // which key that is, others have to bring along
  expect_error(load(), ErrorKind::kUnverifiable, "no key");
  EXPECT_TRUE(load(trust()).ok());
  only("keys/vendor.pub");
  Trust stranger;
  stranger.keys = {next_.public_key()};
  expect_error(load(stranger), ErrorKind::kUntrusted, "found a signature by key");
}

TEST_F(StorePolicyTest, LetsInWhatIsUnsignedWhereThatIsSaid) {
  InstallOptions options;
  options.allow_unsigned = AllowUnsigned::kYes;
  only("keys/vendor.pub");
  const fs::path path = patch("refuse", "1.0.0", 1);
  expect_error(store_.install(path, {}), ErrorKind::kUntrusted, "found no signature");
  ASSERT_TRUE(store_.install(path, options).ok());
  ASSERT_TRUE(store_.activate(stored("refuse"), false).ok());
  expect_error(load(), ErrorKind::kUntrusted, "found no signature");
  EXPECT_NE(load({}, AllowUnsigned::kYes)->loaded.warning, "");
  const fs::path other = patch("refuse", "2.0.0", 2);
  sign(other, next_);
  expect_error(store_.install(other, options), ErrorKind::kUntrusted, "found a signature by key");
}

TEST_F(StorePolicyTest, ThatCannotBeReadLetsNothingIn) {
  put(store_, "refuse", "1.0.0", 1);
  const auto refused = [&] {
    expect_error(load(trust(), AllowUnsigned::kYes), ErrorKind::kUnverifiable, "trust.json");
    expect_error(store_.install(signed_patch("refuse", "2.0.0", 2), by_key()),
                 ErrorKind::kUnverifiable, "trust.json");
  };
  write_raw(folder() / kPolicyFile, "");
  refused();
  only("keys/gone.pub");
  expect_error(load(), ErrorKind::kUnverifiable, "gone.pub");
  fs::remove(folder() / kPolicyFile);
  fs::create_symlink("nowhere", folder() / kPolicyFile);
  refused();
}

TEST_F(StorePolicyTest, ThatOthersMayWriteIsRefused) {
  only("keys/vendor.pub");
  for (const char* name : {"trust.json", "keys", "keys/next.pub"}) {
    struct stat info {};
    ASSERT_EQ(::stat((folder() / name).c_str(), &info), 0) << name;
    ASSERT_EQ(::chmod((folder() / name).c_str(), info.st_mode | 0020), 0);
    expect_error(Store::open(folder()), ErrorKind::kDenied, "other users may write");
    ASSERT_EQ(::chmod((folder() / name).c_str(), info.st_mode), 0);
  }
  EXPECT_TRUE(Store::open(folder()).ok());
}

TEST_F(StorePolicyTest, MayBeThereBeforeTheStore) {
  fs::remove(folder() / kDatabaseFile);
  only("keys/vendor.pub");
  EXPECT_TRUE(Store::open(folder()).ok());
}

}  // namespace
}  // namespace llmpatch
