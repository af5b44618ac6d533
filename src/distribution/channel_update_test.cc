// An operator's update from a folder: what is installed, what is refused, and what a revocation
// does. Attacks on the metadata itself are in trust/tuf_update_test.cc.
#include "distribution/channel_update.h"

#include "base/sha256.h"
#include "distribution/test_channel.h"
#include "patch/archive.h"
#include "trust/tuf_make.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class ChannelUpdateTest : public ChannelTest {
 protected:
  // The folder of targets has one file of that name.
  fs::path target_file(const std::string& ending) {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(channel() / "targets")) {
      if (entry.path().string().ends_with(ending)) found = entry.path();
    }
    EXPECT_FALSE(found.empty()) << ending;
    return found;
  }

  TufTargets published(int version) {
    const std::string name = std::to_string(version) + ".targets.json";
    const auto envelope = parse_tuf_envelope(read(channel() / name), TufRole::kTargets, name);
    return parse_tuf_targets(envelope.value(), name).value();
  }
  // Signs what this program would not say, with snapshot and timestamp of the same version.
  void publish_as_is(const TufTargets& targets) {
    const auto envelope =
        parse_tuf_envelope(read(channel() / "1.root.json"), TufRole::kRoot, "root").value();
    const TufRoot root = parse_tuf_root(envelope, "root").value();
    const std::string number = std::to_string(targets.version);
    const auto write = [&](const std::string& name, const Json& body, TufRole role) {
      const std::string text = sign_tuf(body, role, publishers(), {&root}).value();
      write_raw(channel() / name, text);
      return TufFileInfo{targets.version, text.size(), sha256_hex(text)};
    };
    TufFileList snapshot{targets.version, targets.expires, {}};
    snapshot.files["targets.json"] =
        write(number + ".targets.json", tuf_body(targets), TufRole::kTargets);
    TufFileList timestamp{targets.version, targets.expires, {}};
    timestamp.files["snapshot.json"] =
        write(number + ".snapshot.json", tuf_snapshot_body(snapshot), TufRole::kSnapshot);
    write("timestamp.json", tuf_timestamp_body(timestamp), TufRole::kTimestamp);
  }

  // Lets `key` sign every patch of the store, and nobody else any.
  void only(const PrivateKey& key) {
    fs::create_directory(folder() / kKeysFolder);
    write_raw(folder() / "keys/one.pub", key.public_key().pem());
    write_raw(folder() / kPolicyFile,
              R"({"schema": 1, "rules": [{"patches": ["*"], "keys": ["keys/one.pub"]}]})");
  }

  void expect_patch_error(const Result<UpdateReport>& report, ErrorKind kind,
                          const std::string& part) {
    ASSERT_TRUE(report.ok()) << report.error().to_string();
    ASSERT_EQ(report->errors.size(), 1u);
    expect_error(Status(report->errors[0]), kind, part);
    EXPECT_TRUE(report->installed.empty());
  }
};

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

TEST_F(ChannelUpdateTest, LeavesWhatTheOperatorChoseThoughItIsRevoked) {
  Store store = open();
  for (const std::string name : {"first", "then"}) {  // deactivated first, or revoked first
    add(name, "1.0.0", 1);
    publish();
    Subscription each = subscription({name});
    each.on_revoke = OnRevoke::kUnpatched;
    subscribe(store, each);
    updated(store);
    if (name == "first") {
      ASSERT_TRUE(store.deactivate(name).ok());
    }
    revoke(name, "1.0.0");
    publish();
    updated(store);
    if (name == "then") {
      EXPECT_NE(store.unpatched_reason(name).value(), "");
      const auto done = store.deactivate(name);
      ASSERT_TRUE(done.ok()) << done.error().to_string();
      EXPECT_TRUE(done->changed);
    }
    EXPECT_EQ(store.unpatched_reason(name).value(), "");
    EXPECT_FALSE(store.may_activate(name).value());
    add(name, "1.1.0", 2);
    publish();
    updated(store);
    EXPECT_FALSE(store.deactivate(name)->changed);
  }
  EXPECT_EQ(listing(store), "first 1.1.0, first 1.0.0, then 1.1.0, then 1.0.0");
}

TEST_F(ChannelUpdateTest, ARevokedPatchGivesWayToTheNewestThatIsNot) {
  for (int i = 0; i < 3; ++i) {
    add("refuse", "1." + std::to_string(i) + ".0", i + 1);
    publish();
  }
  Store store = open();
  subscribe(store, subscription());
  put(store, "refuse", "1.0.5", 1);  // by hand, of the same name
  updated(store);
  ASSERT_EQ(listing(store), "refuse 1.2.0*, refuse 1.0.5");
  revoke("refuse", "1.2.0");
  publish();
  // 1.1.0 is newer than what is there, and is fetched though its sequence is lower than the
  // highest.
  const auto report = update(store);
  ASSERT_EQ(report->revoked.size(), 1u);
  EXPECT_EQ(report->revoked[0].replacement, "patch refuse 1.0.5");
  EXPECT_EQ(listing(store), "refuse 1.2.0, refuse 1.1.0*, refuse 1.0.5");
  ASSERT_EQ(report->installed.size(), 1u);
  EXPECT_EQ(
      report->installed[0].warnings,
      std::vector<std::string>{"patch refuse 1.1.0: found sequence 2, and one of sequence 3 "
                               "was here (the channel has nothing newer that is not revoked)"});

  const std::string words = "patch refuse 1.2.0: it was revoked by its maker (channel ";
  expect_error(store.activate(stored("refuse@1.2.0"), true), ErrorKind::kDenied, words);
  expect_error(store.rollback("refuse", "1.2.0"), ErrorKind::kDenied, words);
  expect_error(store.load(stored("refuse@1.2.0"), trust(), AllowUnsigned::kYes), ErrorKind::kDenied,
               words);
  expect_error(store.check_revoked("refuse", "1.2.0", ""), ErrorKind::kDenied, words);
  EXPECT_TRUE(store.check_revoked("another", "1.2.0", "").ok());
  ASSERT_TRUE(store.remove(stored("refuse@1.2.0")).ok());
  InstallOptions options = by_key();
  options.allow_downgrade = options.allow_expired = true;
  expect_error(store.install(signed_patch("refuse", "1.2.0", 3), options), ErrorKind::kDenied,
               words);
}

TEST_F(ChannelUpdateTest, WithNoneLeftNothingIsActiveAndLoadingSaysWhy) {
  add("refuse", "1.0.0", 1);
  publish();
  Store store = open();
  subscribe(store, subscription());
  updated(store);
  revoke("refuse", "1.0.0");
  publish();
  const auto report = update(store);
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->revoked.size(), 1u);
  EXPECT_EQ(report->revoked[0].replacement, "");
  EXPECT_EQ(listing(store), "refuse 1.0.0");
  const std::string words = "patch refuse 1.0.0: it was revoked by its maker";
  expect_error(store.load(stored("refuse"), {}, AllowUnsigned::kYes), ErrorKind::kDenied, words);
  expect_error(store.rollback("refuse"), ErrorKind::kDenied, words);
  EXPECT_EQ(store.unpatched_reason("refuse").value(), "");
  // What comes next takes its place.
  add("refuse", "1.0.1", 2);
  publish();
  updated(store);
  EXPECT_EQ(listing(store), "refuse 1.0.1*, refuse 1.0.0");
}

TEST_F(ChannelUpdateTest, AStackMayRunWithoutItWhereThatWasSaid) {
  add("refuse", "1.0.0", 1);
  publish();
  Store store = open();
  Subscription each = subscription();
  each.on_revoke = OnRevoke::kUnpatched;
  subscribe(store, each);
  updated(store);
  EXPECT_EQ(store.unpatched_reason("refuse").value(), "");
  revoke("refuse", "1.0.0");
  publish();
  ASSERT_TRUE(update(store).ok());
  EXPECT_NE(store.unpatched_reason("refuse")->find("runs WITHOUT it"), std::string::npos);
  EXPECT_EQ(store.unpatched_reason("never-seen").value(), "");
  expect_error(store.load(stored("refuse"), {}, AllowUnsigned::kYes), ErrorKind::kDenied,
               "revoked");
}

// A second channel cannot make a stack run without what the first one's operator wants at any cost.
TEST_F(ChannelUpdateTest, TheChannelThatRevokedDecidesAndRefuseWins) {
  add("refuse", "1.0.0", 1);
  publish();
  Store store = open();
  Subscription each = subscription();
  subscribe(store, each);
  updated(store);
  revoke("refuse", "1.0.0");
  publish();
  ASSERT_TRUE(update(store).ok());
  Subscription another = subscription();
  another.url = "another";
  another.on_revoke = OnRevoke::kUnpatched;
  const auto reason = [&] { return store.unpatched_reason("refuse").value(); };
  subscribe(store, another);
  EXPECT_EQ(reason(), "");
  ASSERT_TRUE(store.unsubscribe(each.url).ok());
  EXPECT_EQ(reason(), "");  // it is not the one that revoked
  each.on_revoke = OnRevoke::kUnpatched;
  subscribe(store, each);
  EXPECT_NE(reason(), "");
  another.on_revoke = OnRevoke::kRefuse;
  subscribe(store, another);
  EXPECT_EQ(reason(), "");
  another.names = {"other"};
  subscribe(store, another);
  EXPECT_NE(reason(), "");
}

TEST_F(ChannelUpdateTest, ARevocationOutlivesTheChannelAndTheReplacementFitsTheOthers) {
  add("refuse", "1.1.0", 2);
  publish();
  Store store = open();
  subscribe(store, subscription());
  put(store, "refuse", "0.9.0", 1);
  put(store, "refuse", "1.0.0", 1);
  updated(store);
  // Excludes 1.0.0's neighbour: only 0.9.0 goes with it.
  put(store, "needs-more", "1.0.0", 1,
      [](Manifest& manifest) { manifest.required = {"refuse@^1.1.0"}; });
  revoke("refuse", "1.1.0");
  publish();
  const auto report = update(store);
  ASSERT_EQ(report->revoked.size(), 1u);
  // Neither 1.0.0 nor 0.9.0 is what the other one needs; a revoked version is no choice either.
  EXPECT_EQ(report->revoked[0].replacement, "");
  EXPECT_EQ(listing(store), "needs-more 1.0.0*, refuse 1.1.0, refuse 1.0.0, refuse 0.9.0");
  ASSERT_TRUE(store.unsubscribe(channel().string()).ok());
  expect_error(store.activate(stored("refuse@1.1.0"), true), ErrorKind::kDenied, "revoked");
  expect_error(store.unsubscribe(channel().string()), ErrorKind::kNotFound, "no subscription");
}

// A damaged file must not keep a revocation from being obeyed.
TEST_F(ChannelUpdateTest, WhatCannotBeReadTakesNoPlaceAndKeepsNothingActive) {
  add("refuse", "1.1.0", 2);
  revoke("refuse", "1.1.0");
  publish();
  for (const char* damaged : {"refuse@1.0.0", "beside"}) {
    fs::remove_all(folder());
    Store store = open();
    subscribe(store, subscription());
    put(store, "beside", "1.0.0", 1);
    put(store, "refuse", "1.0.0", 1);
    put(store, "refuse", "1.1.0", 2);
    const std::string manifest = store.read(stored(damaged))->files.at("manifest.json");
    fs::resize_file(folder() / kBlobsFolder / sha256_hex(manifest), 1);
    const auto report = update(store);
    ASSERT_TRUE(report.ok()) << report.error().to_string();
    ASSERT_EQ(report->revoked.size(), 1u);
    EXPECT_EQ(report->revoked[0].replacement, "");
    EXPECT_EQ(listing(store), "beside 1.0.0*, refuse 1.1.0, refuse 1.0.0");
    expect_error(store.load(stored("refuse"), {}, AllowUnsigned::kYes), ErrorKind::kDenied,
                 "patch refuse 1.1.0: it was revoked by its maker");
  }
}

TEST_F(ChannelUpdateTest, RevocationsOfOtherNamesAreNotFollowed) {
  add("refuse", "1.0.0", 1);
  add("other", "1.0.0", 1);
  revoke("other", "1.0.0");
  publish();
  Store store = open();
  subscribe(store, subscription({"refuse"}));
  put(store, "other", "1.0.0", 1);
  updated(store);
  EXPECT_EQ(listing(store), "other 1.0.0*, refuse 1.0.0*");
}

// Wrong software: the bytes of one target under the name of another.
TEST_F(ChannelUpdateTest, RefusesExchangedTargets) {
  add("refuse", "1.0.0", 1);
  add("refuse", "1.1.0", 2);
  publish();
  const fs::path one = target_file("1.0.0.llmpatch"), two = target_file("1.1.0.llmpatch");
  const std::string bytes = read(two);
  write_raw(two, read(one));
  Store store = open();
  subscribe(store, subscription());
  expect_patch_error(update(store), ErrorKind::kUntrusted, "found ");
  EXPECT_EQ(listing(store), "");
  write_raw(two, bytes + "x");
  expect_patch_error(update(store), ErrorKind::kLimit, "");
  fs::remove(two);
  expect_patch_error(update(store), ErrorKind::kNotFound, "found no targets/");
  write_raw(two, bytes);
  updated(store);
  EXPECT_EQ(listing(store), "refuse 1.1.0*");
}

// A maker who says of a target what the patch does not say of itself.
TEST_F(ChannelUpdateTest, RefusesATargetThatIsAnotherPatch) {
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

// A maker whose program is newer than ours.
TEST_F(ChannelUpdateTest, ATargetInAnotherFormIsObeyedAndKeepsNoOtherBack) {
  add("refuse", "1.0.0", 1);
  add("other", "1.0.0", 1);
  publish();
  Store store = open();
  subscribe(store, subscription({"refuse"}));
  updated(store);
  TufTargets said = published(1);
  said.targets["refuse-1.0.0.llmpatch"].custom["revoked"] = true;
  said.targets["refuse-1.0.0.llmpatch"].custom["reason"] = "stolen";
  said.version = 2;
  publish_as_is(said);
  const auto report = update(store);
  expect_patch_error(report, ErrorKind::kUntrusted, "unknown member \"reason\"");
  ASSERT_EQ(report->revoked.size(), 1u);
  EXPECT_EQ(listing(store), "refuse 1.0.0");
}

// Who has the keys of the channel alone cannot make patches.
TEST_F(ChannelUpdateTest, RefusesAPatchThatNobodyTrustedSigned) {
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

TEST_F(ChannelUpdateTest, ThePolicyOfTheStoreSaysWhoseSignaturesHold) {
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

TEST_F(ChannelUpdateTest, WhatThePolicyDoesNotLetInTakesNoPlace) {
  const PrivateKey other = PrivateKey::generate().value();
  InstallOptions options;
  options.trust.keys = {other.public_key()};
  options.activate = true;
  Store store = open();
  const auto put_other = [&](const char* version, std::int64_t sequence) {
    const auto path = patch("refuse", version, sequence);
    sign(path, other);
    ASSERT_TRUE(store.install(path, options).ok()) << version;
  };
  put_other("0.9.0", 1);
  put(store, "refuse", "1.0.0", 2);
  put_other("1.1.0", 3);
  only(other);
  add("refuse", "1.1.0", 3);
  revoke("refuse", "1.1.0");
  publish();
  subscribe(store, subscription());
  const auto report = update(store);
  ASSERT_TRUE(report.ok()) << report.error().to_string();
  EXPECT_EQ(listing(store), "refuse 1.1.0, refuse 1.0.0, refuse 0.9.0*");
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

// Freeze: an attacker goes on giving out what was true once, and sets the clock back, too.
TEST_F(ChannelUpdateTest, AClockThatWasPutBackMakesNothingFresh) {
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
TEST_F(ChannelUpdateTest, RefusesWhatItHadBefore) {
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

// Malicious mirrors: garbage or nothing costs an attempt, and the next one is asked.
TEST_F(ChannelUpdateTest, GoesOnToTheNextMirror) {
  add("refuse", "1.0.0", 1);
  publish();
  const fs::path garbage = directory_ / "garbage";
  fs::create_directory(garbage);
  write_raw(garbage / "timestamp.json", "garbage");
  Store store = open();
  Subscription each = subscription();
  each.url = (directory_ / "nothing").string();
  each.mirrors = {garbage.string(), channel().string()};
  subscribe(store, each);
  const auto report = update(store);
  ASSERT_TRUE(report.ok()) << report.error().to_string();
  EXPECT_EQ(report->place, channel().string());
  EXPECT_EQ(listing(store), "refuse 1.0.0*");
  fs::rename(channel(), directory_ / "gone");
  expect_error(update(store), ErrorKind::kNotFound, "found no timestamp.json");
}

// Who can hold back one file of one address does not undo a rotation.
TEST_F(ChannelUpdateTest, WhatHeldIsBelievedThoughWhatFollowedFailed) {
  add("refuse", "1.0.0", 1);
  publish();
  const fs::path mirror = directory_ / "mirror", held_back = directory_ / "held-back";
  fs::copy(channel(), mirror, fs::copy_options::recursive);
  ChannelKeys keys;
  timestamp_key_ = PrivateKey::generate().value();
  keys.timestamp = {timestamp_key_.public_key()};
  ASSERT_TRUE(maker().rotate(keys, {root_key_}, {}).ok());
  ASSERT_TRUE(maker().refresh({timestamp_key_}, {}).ok());
  fs::rename(channel() / "timestamp.json", held_back);

  Store store = open();
  Subscription each = subscription();
  each.mirrors = {mirror.string()};
  subscribe(store, each);
  expect_error(update(store), ErrorKind::kNotFound, "found no timestamp.json");
  EXPECT_EQ(listing(store), "");
  EXPECT_EQ(store.subscriptions()->at(0).believed.root, read(channel() / "2.root.json"));
  // A newer timestamp, too, though its snapshot is not there.
  fs::rename(held_back, channel() / "timestamp.json");
  fs::rename(channel() / "1.snapshot.json", held_back);
  ASSERT_TRUE(maker().refresh({timestamp_key_}, {}).ok());
  expect_error(update(store), ErrorKind::kNotFound, "found no 1.snapshot.json");
  EXPECT_EQ(store.subscriptions()->at(0).believed.timestamp, read(channel() / "timestamp.json"));
  fs::rename(held_back, channel() / "1.snapshot.json");
  updated(store);
  EXPECT_EQ(listing(store), "refuse 1.0.0*");
}

TEST_F(ChannelUpdateTest, AMirrorMayLackTheFileOfAPatch) {
  add("refuse", "1.0.0", 1);
  publish();
  const fs::path half = directory_ / "half";
  fs::copy(channel(), half, fs::copy_options::recursive);
  fs::remove_all(half / "targets");
  Store store = open();
  Subscription each = subscription();
  each.url = half.string();
  each.mirrors = {channel().string()};
  subscribe(store, each);
  updated(store);
  EXPECT_EQ(listing(store), "refuse 1.0.0*");
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
