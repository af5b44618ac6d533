// What stops those who can put files into a channel, or keep them out. Attacks on the metadata
// itself are in trust/tuf_update_test.cc.
#include "base/sha256.h"
#include "distribution/test_channel.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class ChannelAttackTest : public ChannelTest {};

// Wrong software: the bytes of one target under the name of another.
TEST_F(ChannelAttackTest, RefusesExchangedTargets) {
  add("refuse", "1.0.0", 1);
  add("refuse", "1.1.0", 2);
  publish();
  const fs::path one = target_file("1.0.0.llmpatch"), two = target_file("1.1.0.llmpatch");
  const std::string bytes = read(two), length = std::to_string(bytes.size());
  std::string other = read(one);
  other.resize(bytes.size());  // an archive may end in zeros
  Store store = open();
  subscribe(store, subscription());
  write_raw(two, other);
  expect_patch_error(
      update(store), ErrorKind::kUntrusted,
      "1.1.0.llmpatch: found sha256 " + sha256_hex(other) + ", expected " + sha256_hex(bytes));
  EXPECT_EQ(listing(store), "");
  write_raw(two, bytes.substr(1));
  expect_patch_error(update(store), ErrorKind::kUntrusted,
                     "found " + std::to_string(bytes.size() - 1) + " bytes, expected " + length);
  write_raw(two, bytes + "x");
  expect_patch_error(update(store), ErrorKind::kLimit, " bytes, expected at most " + length);
  fs::remove(two);
  expect_patch_error(update(store), ErrorKind::kNotFound, "found no targets/");
  write_raw(two, bytes);
  updated(store);
  EXPECT_EQ(listing(store), "refuse 1.1.0*");
}

// A maker who says of a target what the patch does not say of itself.
TEST_F(ChannelAttackTest, RefusesATargetThatIsAnotherPatch) {
  add("refuse", "1.0.0", 1);
  publish();
  Json draft = Json::parse(read(channel() / "1.targets.json"));
  draft["signed"]["targets"]["refuse-1.0.0.llmpatch"]["custom"]["sequence"] = 9;
  write_raw(channel() / "draft.json", draft.dump());
  publish();
  Store store = open();
  subscribe(store, subscription());
  expect_patch_error(update(store), ErrorKind::kUntrusted, "found sequence 1 in the patch");
}

// Who has the keys of the channel alone cannot make patches.
TEST_F(ChannelAttackTest, RefusesAPatchThatNobodyTrustedSigned) {
  const auto path = patch("refuse", "1.0.0", 1);
  const PrivateKey thief = PrivateKey::generate().value();
  sign(path, thief);
  Trust own;
  own.keys = {thief.public_key()};
  ASSERT_TRUE(maker().add(path, own).ok());
  publish();
  Store store = open();
  subscribe(store, subscription());
  expect_patch_error(update(store), ErrorKind::kUntrusted, "found a signature by key");
  UpdateOptions none = update_options();
  none.install.trust = {};
  expect_patch_error(update(store, none), ErrorKind::kUnverifiable, "no key to check it with");
}

TEST_F(ChannelAttackTest, ThePolicyOfTheStoreSaysWhoseSignaturesHold) {
  add("refuse", "1.0.0", 1);
  publish();
  Store store = open();
  only(key_);
  subscribe(store, subscription());
  UpdateOptions options = update_options();
  options.install.trust = {};
  const auto report = update(store, options);
  ASSERT_TRUE(report.ok()) << report.error().to_string();
  EXPECT_TRUE(report->errors.empty()) << report->errors[0].to_string();
  EXPECT_EQ(listing(store), "refuse 1.0.0*");
  // Nor does a key on the command line let in what the policy does not.
  only(targets_key_);
  add("refuse", "1.1.0", 2);
  publish();
  expect_patch_error(update(store), ErrorKind::kUntrusted, "no rule lets sign it");
}

// Freeze: an attacker goes on giving out what was true once, and sets the clock back, too.
TEST_F(ChannelAttackTest, AClockThatWasPutBackMakesNothingFresh) {
  publish();
  Store store = open();
  subscribe(store, subscription());
  updated(store);
  now_ += 8 * 24 * 3600;
  expect_error(update(store), ErrorKind::kUntrusted, "timestamp: found that it expired");
  now_ = kTestTime;
  expect_error(update(store), ErrorKind::kUntrusted, "and now is 2027-01-09T00:00:00Z");
  subscribe(store, subscription());  // anew
  updated(store);
}

// Rollback, from the operator's side: what was believed is kept between updates.
TEST_F(ChannelAttackTest, RefusesWhatItHadBefore) {
  add("refuse", "1.0.0", 1);
  publish();
  fs::copy(channel(), directory_ / "old", fs::copy_options::recursive);
  Store store = open();
  subscribe(store, subscription());
  revoke("refuse", "1.0.0");
  publish();
  ASSERT_TRUE(update(store).ok());
  fs::remove_all(channel());
  fs::rename(directory_ / "old", channel());
  expect_error(update(store), ErrorKind::kUntrusted,
               "timestamp.json: found version 1, and version 2 was seen before");
  EXPECT_EQ(listing(store), "");
}

}  // namespace
}  // namespace llmpatch
