// An operator's update from a folder: what is installed, and what is left alone.
#include "distribution/channel_update.h"

#include "base/sha256.h"
#include "distribution/test_channel.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class ChannelUpdateTest : public ChannelTest {};

TEST_F(ChannelUpdateTest, InstallsTheNewestAndMakesItActive) {
  add("refuse", "1.0.0", 1);
  add("other", "2.0.0", 1);
  publish();
  Store store = open();
  subscribe(store, subscription({"refuse"}));
  updated(store);
  EXPECT_EQ(listing(store), "refuse 1.0.0*");
  updated(store);  // nothing new
  EXPECT_EQ(listing(store), "refuse 1.0.0*");
  add("refuse", "1.1.0", 2);
  publish();
  updated(store);
  EXPECT_EQ(listing(store), "refuse 1.1.0*, refuse 1.0.0");
  EXPECT_TRUE(store.load(stored("refuse"), trust(), AllowUnsigned::kNo).ok());
}

TEST_F(ChannelUpdateTest, FollowsEveryPatchWithoutNames) {
  add("refuse", "1.0.0", 1);
  add("other", "2.0.0", 1);
  publish();
  Store store = open();
  subscribe(store, subscription());
  updated(store);
  EXPECT_EQ(listing(store), "other 2.0.0*, refuse 1.0.0*");
}

TEST_F(ChannelUpdateTest, LeavesWhatTheOperatorChose) {
  add("refuse", "1.0.0", 1);
  publish();
  Store store = open();
  subscribe(store, subscription());
  updated(store);
  ASSERT_TRUE(store.deactivate("refuse").ok());
  add("refuse", "1.1.0", 2);
  publish();
  const auto report = update(store);
  EXPECT_EQ(report->notes.size(), 1u);
  EXPECT_EQ(listing(store), "refuse 1.1.0, refuse 1.0.0");
  // One that was rolled back stays so until there is something newer.
  ASSERT_TRUE(store.activate(stored("refuse@1.0.0"), false).ok());
  updated(store);
  EXPECT_EQ(listing(store), "refuse 1.1.0, refuse 1.0.0*");
  UpdateOptions options = update_options();
  options.install.activate = false;
  add("refuse", "1.2.0", 3);
  publish();
  ASSERT_TRUE(update(store, options).ok());
  EXPECT_EQ(listing(store), "refuse 1.2.0, refuse 1.1.0, refuse 1.0.0*");
}

TEST_F(ChannelUpdateTest, PassesOverWhatHasExpired) {
  add("refuse", "1.0.0", 1);
  add("refuse", "1.1.0", 2, [](Manifest& manifest) { manifest.expires = "2027-01-02T00:00:00Z"; });
  publish();
  now_ += 2 * 24 * 3600;
  Store store = open();
  subscribe(store, subscription());
  const auto report = update(store);
  ASSERT_EQ(report->notes.size(), 1u);
  EXPECT_EQ(report->notes[0], "patch refuse 1.1.0 expired at 2027-01-02T00:00:00Z: passed over");
  EXPECT_EQ(listing(store), "refuse 1.0.0*");
}

// Only a revocation takes a release back; that a newer one has expired makes no older one good.
TEST_F(ChannelUpdateTest, AnExpiredReleaseDoesNotAllowAnOlderOne) {
  add("refuse", "1.1.0", 2, [](Manifest& manifest) { manifest.expires = "2027-01-02T00:00:00Z"; });
  publish();
  Store store = open();
  subscribe(store, subscription());
  updated(store);
  ASSERT_TRUE(store.deactivate("refuse").ok());
  ASSERT_TRUE(store.remove(stored("refuse@1.1.0")).ok());
  add("refuse", "1.0.0", 1);
  publish();
  now_ += 2 * 24 * 3600;
  expect_patch_error(update(store), ErrorKind::kDenied, "found sequence 1, and one of sequence 2");
}

// The same contents under another signature: an operator who takes the old key away needs it.
TEST_F(ChannelUpdateTest, FetchesWhatWasSignedAgain) {
  const auto path = signed_patch("refuse", "1.0.0", 2);
  ASSERT_TRUE(maker().add(path, trust()).ok());
  publish();
  Store store = open();
  subscribe(store, subscription());
  put(store, "refuse", "0.9.0", 1);
  updated(store);
  ASSERT_TRUE(store.rollback("refuse").ok());  // which the operator prefers
  ASSERT_EQ(listing(store), "refuse 1.0.0, refuse 0.9.0*");

  const PrivateKey next = PrivateKey::generate().value();
  sign(path, next);
  Trust both = trust();
  both.keys.push_back(next.public_key());
  ASSERT_TRUE(maker().add(path, both).ok());
  publish();
  expect_patch_error(update(store), ErrorKind::kUntrusted, "found a signature by key");
  UpdateOptions options = update_options();
  options.install.trust = both;
  const auto report = update(store, options);
  ASSERT_TRUE(report.ok()) << report.error().to_string();
  EXPECT_TRUE(report->installed.empty());
  ASSERT_EQ(report->renewed.size(), 1u);
  EXPECT_EQ(report->renewed[0].patch.signer->key, next.public_key().hint());
  EXPECT_EQ(listing(store), "refuse 1.0.0, refuse 0.9.0*");
  only(next);
  EXPECT_TRUE(store.load(stored("refuse@1.0.0"), {}, AllowUnsigned::kNo).ok());
  // And then it is there.
  fs::remove_all(channel() / "targets");
  const auto again = update(store, options);
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  EXPECT_TRUE(again->renewed.empty());
  EXPECT_TRUE(again->errors.empty());
}

TEST_F(ChannelUpdateTest, FetchesWhatIsDamagedAgain) {
  add("refuse", "1.0.0", 1);
  publish();
  Store store = open();
  subscribe(store, subscription());
  updated(store);
  const std::string manifest = store.read(stored("refuse"))->files.at(kManifestFile);
  fs::resize_file(folder() / kBlobsFolder / sha256_hex(manifest), 1);
  ASSERT_FALSE(store.read(stored("refuse")).ok());
  const auto report = update(store);
  ASSERT_TRUE(report.ok()) << report.error().to_string();
  ASSERT_EQ(report->renewed.size(), 1u);
  EXPECT_EQ(report->renewed[0].repaired, 1u);
  EXPECT_TRUE(store.read(stored("refuse")).ok());
}

// What is refused is so in the one place where patches are verified, which writes it down.
TEST_F(ChannelUpdateTest, TheHistoryHasWhatWasRefused) {
  add("refuse", "1.0.0", 1);
  publish();
  Store store = open();
  subscribe(store, subscription());
  UpdateOptions options = update_options();
  options.install.trust.keys = {PrivateKey::generate()->public_key()};
  expect_patch_error(update(store, options), ErrorKind::kUntrusted, "found a signature by key");
  const auto history = store.history().value();
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].operation, "subscribe");
  EXPECT_EQ(history[1].operation + " " + history[1].outcome, "install refused");
}

TEST_F(ChannelUpdateTest, TwoUpdatesAtATimeDoNotUndoEachOther) {
  publish();
  Store store = open();
  subscribe(store, subscription());
  Subscription early = store.subscriptions()->at(0);
  ASSERT_TRUE(store.begin_update(early).ok());
  updated(store);
  expect_error(store.believe(early, early.believed, {}), ErrorKind::kLimit,
               "another update was quicker");
  EXPECT_NE(store.subscriptions()->at(0).believed.timestamp, "");
}

TEST_F(ChannelUpdateTest, AnUpdateDoesNotOutliveItsSubscription) {
  publish();
  ASSERT_TRUE(maker().rotate({}, {root_key_}, {}).ok());
  Store store = open();
  subscribe(store, subscription());
  Subscription early = store.subscriptions()->at(0);
  ASSERT_TRUE(store.begin_update(early).ok());
  ASSERT_TRUE(store.unsubscribe(early.url).ok());
  Subscription anew = subscription();
  anew.believed.root = read(channel() / "2.root.json");
  subscribe(store, anew);
  TufFiles files = early.believed;
  files.timestamp = read(channel() / "timestamp.json");
  expect_error(store.believe(early, files, {}), ErrorKind::kLimit, "another update was quicker");
  expect_error(store.keep(early, files), ErrorKind::kLimit, "another update was quicker");
  EXPECT_EQ(store.subscriptions()->at(0).believed, anew.believed);
}

TEST_F(ChannelUpdateTest, RefusesARootThatDoesNotHoldAndASecondSubscription) {
  Store store = open();
  Subscription bad = subscription();
  bad.believed.root = "{}";
  expect_error(store.subscribe(bad, Overwrite::kNo), ErrorKind::kUntrusted, "found no member");
  subscribe(store, subscription());
  expect_error(store.subscribe(subscription(), Overwrite::kNo), ErrorKind::kExists,
               "found a subscription");
}

}  // namespace
}  // namespace llmpatch
