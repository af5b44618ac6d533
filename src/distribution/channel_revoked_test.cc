// What an update makes of revocations.
#include "base/sha256.h"
#include "distribution/test_channel.h"
#include "trust/tuf_make.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class ChannelRevokedTest : public ChannelTest {
 protected:
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
};

TEST_F(ChannelRevokedTest, ARevokedPatchGivesWayToTheNewestThatIsNot) {
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

TEST_F(ChannelRevokedTest, WithNoneLeftNothingIsActiveAndLoadingSaysWhy) {
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

TEST_F(ChannelRevokedTest, LeavesWhatTheOperatorChoseThoughItIsRevoked) {
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

TEST_F(ChannelRevokedTest, AStackMayRunWithoutItWhereThatWasSaid) {
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
TEST_F(ChannelRevokedTest, TheChannelThatRevokedDecidesAndRefuseWins) {
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

TEST_F(ChannelRevokedTest, ARevocationOutlivesTheChannelAndTheReplacementFitsTheOthers) {
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
TEST_F(ChannelRevokedTest, WhatCannotBeReadTakesNoPlaceAndKeepsNothingActive) {
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

TEST_F(ChannelRevokedTest, WhatThePolicyDoesNotLetInTakesNoPlace) {
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

TEST_F(ChannelRevokedTest, RevocationsOfOtherNamesAreNotFollowed) {
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

// A maker whose program is newer than ours.
TEST_F(ChannelRevokedTest, ATargetInAnotherFormIsObeyedAndKeepsNoOtherBack) {
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

}  // namespace
}  // namespace llmpatch
