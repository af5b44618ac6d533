// Roles whose keys are on several machines: what waits for signatures, and what becomes of it.
#include "distribution/test_channel.h"
#include "patch/expiry.h"
#include "trust/tuf_make.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class ChannelPendingTest : public ChannelTest {
 protected:
  // A channel whose root and targets need two keys each.
  void SetUp() override {
    keys_.root = {root_key_.public_key(), second_.public_key()};
    keys_.targets = {targets_key_.public_key(), second_.public_key()};
    keys_.timestamp = {timestamp_key_.public_key()};
    keys_.root_threshold = keys_.targets_threshold = 2;
  }
  void init() {
    const auto step = maker().init(keys_, {root_key_, second_}, {});
    ASSERT_TRUE(step.ok()) << step.error().to_string();
  }
  Result<ChannelStep> sign(TufRole role, const PrivateKey& key) {
    return maker().sign(maker().pending(role).value().value(), {key});
  }
  bool is_there(const std::string& name) const { return fs::exists(channel() / name); }

  ChannelKeys keys_;
  const PrivateKey second_ = PrivateKey::generate().value();
  const PrivateKey stranger_ = PrivateKey::generate().value();
};

TEST_F(ChannelPendingTest, TheFirstRootIsSignedByOneKeyAfterTheOther) {
  expect_error(maker().init(keys_, {root_key_}, {}), ErrorKind::kInvalidArgument, "too few");
  EXPECT_FALSE(fs::exists(channel()));
  const auto begun = maker().init(keys_, {root_key_}, {}, Collect::kYes);
  ASSERT_TRUE(begun.ok()) << begun.error().to_string();
  EXPECT_EQ(begun->written, std::vector<std::string>{"next.root.json"});
  EXPECT_EQ(begun->advice.at(0), "next.root.json: signed by 1 of the 2 keys that root 1 asks for");
  EXPECT_FALSE(is_there("1.root.json"));
  expect_error(sign(TufRole::kRoot, stranger_), ErrorKind::kInvalidArgument,
               "none of the private keys that speak for the role root");
  // The same key again is no second one.
  ASSERT_TRUE(sign(TufRole::kRoot, root_key_).ok());
  EXPECT_FALSE(is_there("1.root.json"));
  const auto done = sign(TufRole::kRoot, second_);
  ASSERT_TRUE(done.ok()) << done.error().to_string();
  EXPECT_EQ(done->written, std::vector<std::string>{"1.root.json"});
  EXPECT_FALSE(is_there("next.root.json"));
  EXPECT_TRUE(TufUpdate::begin({read(channel() / "1.root.json"), "", "", ""}, utc_text(now_)).ok());
}

TEST_F(ChannelPendingTest, ARotationNeedsTheOldKeysAndTheNewOnes) {
  init();
  ChannelKeys keys;
  keys.root = {second_.public_key(), stranger_.public_key()};
  ASSERT_TRUE(maker().rotate(keys, {root_key_}, {}, Collect::kYes).ok());
  expect_error(maker().rotate({}, {root_key_, second_}, {}), ErrorKind::kExists,
               "found a root that waits for signatures");
  const auto half = sign(TufRole::kRoot, stranger_);
  ASSERT_TRUE(half.ok()) << half.error().to_string();
  EXPECT_EQ(half->advice, (std::vector<std::string>{
                              "next.root.json: signed by 1 of the 2 keys that root 1 asks for",
                              "next.root.json: signed by 1 of the 2 keys that root 2 asks for",
                              "next: llmpatch channel sign, where the other keys are"}));
  EXPECT_FALSE(is_there("2.root.json"));
  ASSERT_TRUE(sign(TufRole::kRoot, second_).ok());
  auto update =
      TufUpdate::begin({read(channel() / "1.root.json"), "", "", ""}, utc_text(now_)).value();
  const Status taken = update.add_root(read(channel() / "2.root.json"));
  EXPECT_TRUE(taken.ok()) << taken.error().to_string();
}

TEST_F(ChannelPendingTest, TargetsAreSignedOnSeveralMachinesAndPublishedOnALastOne) {
  init();
  add("refuse", "1.0.0", 1);
  const TufTargets draft = maker().draft().value();
  // The key of timestamps is on none of these machines.
  ASSERT_TRUE(maker().publish(draft, {targets_key_}, {}, Collect::kYes).ok());
  expect_error(maker().publish(draft, {timestamp_key_, targets_key_}, {}),
               ErrorKind::kInvalidArgument, "the role targets, expected 2 of");
  expect_error(sign(TufRole::kTargets, timestamp_key_), ErrorKind::kInvalidArgument,
               "speak for the role targets");
  const auto signed_now = sign(TufRole::kTargets, second_);
  ASSERT_TRUE(signed_now.ok()) << signed_now.error().to_string();
  EXPECT_EQ(signed_now->advice.back(), "next: llmpatch channel publish");
  EXPECT_FALSE(is_there("1.targets.json"));
  // The snapshot has the keys of the targets, and one of them is enough.
  now_ += 24 * 3600;
  const auto published = maker().publish(draft, {second_, timestamp_key_}, {});
  ASSERT_TRUE(published.ok()) << published.error().to_string();
  EXPECT_FALSE(is_there("next.targets.json"));
  Store store = open();
  subscribe(store, subscription());
  updated(store);
  EXPECT_EQ(listing(store), "refuse 1.0.0*");
}

TEST_F(ChannelPendingTest, WhatWaitsIsPublishedAsItIsOrNotAtAll) {
  init();
  add("refuse", "1.0.0", 1);
  const TufTargets draft = maker().draft().value();
  ASSERT_TRUE(maker().publish(draft, {targets_key_}, {}, Collect::kYes).ok());
  add("other", "1.0.0", 1);
  expect_error(
      maker().publish(maker().draft().value(), {targets_key_, second_, timestamp_key_}, {}),
      ErrorKind::kExists, "found other targets that wait for signatures");
  // One that was overtaken.
  const std::string waiting = read(channel() / "next.targets.json");
  fs::remove(channel() / "next.targets.json");
  ASSERT_TRUE(maker().publish(draft, {targets_key_, second_, timestamp_key_}, {}).ok());
  write_raw(channel() / "next.targets.json", waiting);
  expect_error(sign(TufRole::kTargets, second_), ErrorKind::kExists,
               "next.targets.json: found version 1, expected version 2");
}

// What was signed on the first machine holds from then on, however long the others take.
TEST_F(ChannelPendingTest, RefusesWhatHasExpiredWhileItWaited) {
  init();
  add("refuse", "1.0.0", 1);
  const TufTargets draft = maker().draft().value();
  ASSERT_TRUE(maker().publish(draft, {targets_key_}, {}, Collect::kYes).ok());
  ASSERT_TRUE(sign(TufRole::kTargets, second_).ok());
  ASSERT_TRUE(maker().rotate({}, {root_key_}, {}, Collect::kYes).ok());
  const std::string expires = maker().pending(TufRole::kTargets).value()->expires;
  constexpr std::time_t kDay = 24 * 3600;
  now_ += 90 * kDay;  // the moment at which it expires
  const std::string expired = "next.targets.json: found that it expired at " + expires;
  expect_error(maker().publish(draft, {second_, timestamp_key_}, {}), ErrorKind::kDenied, expired);
  expect_error(maker().publish(draft, {second_}, {}, Collect::kYes), ErrorKind::kDenied, expired);
  expect_error(sign(TufRole::kTargets, second_), ErrorKind::kDenied, expired);
  EXPECT_FALSE(is_there("1.targets.json"));
  EXPECT_FALSE(is_there("timestamp.json"));
  now_ += 275 * kDay;
  expect_error(sign(TufRole::kRoot, second_), ErrorKind::kDenied, "next.root.json: found that");
  EXPECT_FALSE(is_there("2.root.json"));
  now_ -= 275 * kDay + 1;  // a second before
  const auto published = maker().publish(draft, {second_, timestamp_key_}, {});
  EXPECT_TRUE(published.ok()) << published.error().to_string();
}

// Nobody is asked to sign what is not shown.
TEST_F(ChannelPendingTest, RefusesWhatThisProgramWouldNotWrite) {
  init();
  add("refuse", "1.0.0", 1);
  ASSERT_TRUE(maker().publish(maker().draft().value(), {targets_key_}, {}, Collect::kYes).ok());
  Json waiting = Json::parse(read(channel() / "next.targets.json"));
  const Json honest = waiting;
  waiting["signed"]["delegations"] = Json::object();
  write_raw(channel() / "next.targets.json", waiting.dump());
  expect_error(maker().pending(TufRole::kTargets), ErrorKind::kUntrusted,
               "found members that llmpatch does not write");
  waiting = honest;
  waiting["signed"]["targets"]["notes.txt"] = waiting["signed"]["targets"].front();
  write_raw(channel() / "next.targets.json", waiting.dump());
  expect_error(maker().pending(TufRole::kTargets), ErrorKind::kUntrusted, "patches alone");
  // A signature over something else is dropped, and counts for nothing.
  waiting = honest;
  waiting["signed"]["expires"] = "2040-01-01T00:00:00Z";
  write_raw(channel() / "next.targets.json", waiting.dump());
  const auto step = sign(TufRole::kTargets, second_);
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->advice.at(0),
            "next.targets.json: signed by 1 of the 2 keys that root 1 asks for");
}

}  // namespace
}  // namespace llmpatch
