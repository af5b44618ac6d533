#include "distribution/channel_maker.h"

#include "base/sha256.h"
#include "distribution/test_channel.h"
#include "patch/archive.h"
#include "patch/expiry.h"
#include "trust/tuf_update.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class ChannelMakerTest : public ChannelTest {
 protected:
  // What a client that pins the first root reads now.
  Result<TufUpdate> read_as_client(std::int64_t version) {
    LLMPATCH_ASSIGN(
        TufUpdate update,
        TufUpdate::begin({read(channel() / "1.root.json"), "", "", ""}, utc_text(now_)));
    for (int root = 2; fs::exists(channel() / (std::to_string(root) + ".root.json")); ++root) {
      LLMPATCH_TRY(update.add_root(read(channel() / (std::to_string(root) + ".root.json"))));
    }
    LLMPATCH_TRY(update.end_roots());
    LLMPATCH_TRY(update.set_timestamp(read(channel() / "timestamp.json")));
    const std::string number = std::to_string(version);
    LLMPATCH_TRY(update.set_snapshot(read(channel() / (number + ".snapshot.json"))));
    LLMPATCH_TRY(update.set_targets(read(channel() / (number + ".targets.json"))));
    return update;
  }
};

TEST_F(ChannelMakerTest, PublishesWhatAClientTakes) {
  add("refuse", "1.0.0", 1);
  add("refuse", "1.1.0", 2);
  publish();
  const auto update = read_as_client(1);
  ASSERT_TRUE(update.ok()) << update.error().to_string();
  const auto targets = read_channel_targets(update->targets()).value();
  ASSERT_EQ(targets.size(), 2u);
  EXPECT_EQ(targets[0].version, "1.1.0");
  EXPECT_EQ(targets[0].base, std::string(64, '1'));  // of small_patch
  const std::string archive = read(channel() / channel_file(targets[0]));
  EXPECT_EQ(sha256_hex(archive), targets[0].sha256);
  EXPECT_EQ(archive.size(), targets[0].length);
  EXPECT_TRUE(unpack_files(archive, "test").ok());
  EXPECT_FALSE(fs::exists(channel() / "draft.json"));
}

TEST_F(ChannelMakerTest, ADraftIsNotPublished) {
  publish();
  add("refuse", "1.0.0", 1);
  EXPECT_TRUE(read_as_client(1)->targets().targets.empty());
  EXPECT_EQ(maker().draft()->targets.size(), 1u);
  publish();
  EXPECT_EQ(read_as_client(2)->targets().targets.size(), 1u);
}

TEST_F(ChannelMakerTest, AddsWhatIsSignedAndWhatDoesNotContradict) {
  expect_error(maker().add(patch("refuse", "1.0.0", 1), trust()), ErrorKind::kUntrusted,
               "found no signature");
  expect_error(maker().add(signed_patch("refuse", "1.0.0", 1), Trust()), ErrorKind::kUnverifiable,
               "no key to check it with");
  expect_error(maker().add(signed_patch("refuse", "1.0.0", 1,
                                        [](Manifest& manifest) {
                                          manifest.expires = "2026-12-31T00:00:00Z";
                                        }),
                           trust()),
               ErrorKind::kDenied, "expired at 2026-12-31");
  const auto path = signed_patch("refuse", "1.0.0", 1);
  ASSERT_TRUE(maker().add(path, trust()).ok());
  sign(path, key_);  // the same contents, signed again
  EXPECT_TRUE(maker().add(path, trust()).ok());
  expect_error(maker().add(signed_patch("refuse", "1.0.0", 2), trust()), ErrorKind::kExists,
               "with other contents");
  EXPECT_EQ(maker().draft()->targets.size(), 1u);
}

TEST_F(ChannelMakerTest, SignsWhatWasShownAndNoMore) {
  add("refuse", "1.0.0", 1);
  const TufTargets shown = maker().draft().value();
  add("other", "1.0.0", 1);
  ASSERT_TRUE(maker().publish(shown, publishers(), {}).ok());
  EXPECT_EQ(read_as_client(1)->targets().targets.size(), 1u);
  EXPECT_EQ(maker().draft()->targets.size(), 2u);  // for the next time
  expect_error(maker().publish(shown, publishers(), {}), ErrorKind::kExists,
               "found version 1 published, expected version 0");
  TufTargets more = maker().draft().value();
  more.targets["notes.txt"] = more.targets.begin()->second;
  expect_error(maker().publish(more, publishers(), {}), ErrorKind::kUntrusted,
               "found \"notes.txt\", expected patches alone");
  more.targets.erase("notes.txt");
  more.targets.begin()->second.custom["more"] = 1;
  expect_error(maker().publish(more, publishers(), {}), ErrorKind::kUntrusted, "unknown member");
  EXPECT_FALSE(fs::exists(channel() / "2.targets.json"));
}

TEST_F(ChannelMakerTest, BuildsOnNothingThatItsKeysDidNotSign) {
  add("refuse", "1.0.0", 1);
  publish();
  for (const char* name : {"timestamp.json", "1.snapshot.json", "1.targets.json", "1.root.json"}) {
    const std::string good = read(channel() / name);
    Json altered = Json::parse(good);
    altered["signed"]["expires"] = "2030-01-01T00:00:00Z";
    write_raw(channel() / name, altered.dump());
    expect_error(maker().draft(), ErrorKind::kUntrusted, name);
    expect_error(maker().add(signed_patch("refuse", "1.1.0", 2), trust()), ErrorKind::kUntrusted,
                 name);
    expect_error(maker().publish({}, publishers(), {}), ErrorKind::kUntrusted, name);
    write_raw(channel() / name, good);
  }
  // Signed, but not the one that was published.
  const std::string first = read(channel() / "1.targets.json");
  revoke("refuse", "1.0.0");
  publish();
  write_raw(channel() / "2.targets.json", first);
  expect_error(maker().draft(), ErrorKind::kUntrusted, "2.targets.json: found sha256");
}

TEST_F(ChannelMakerTest, ARevokedVersionStaysSo) {
  add("refuse", "1.0.0", 1);
  publish();
  expect_error(maker().revoke("refuse", "2.0.0"), ErrorKind::kNotFound, "found no such patch");
  revoke("refuse", "1.0.0");
  publish();
  EXPECT_TRUE(read_channel_targets(read_as_client(2)->targets())->at(0).revoked);
  expect_error(maker().add(signed_patch("refuse", "1.0.0", 1), trust()), ErrorKind::kDenied,
               "it was revoked");
}

TEST_F(ChannelMakerTest, RefreshesWithTheTimestampKeyAlone) {
  expect_error(maker().refresh({timestamp_key_}, {}), ErrorKind::kNotFound, "no timestamp.json");
  publish();
  now_ += 6 * 24 * 3600;
  EXPECT_TRUE(read_as_client(1).ok());
  now_ += 2 * 24 * 3600;
  expect_error(read_as_client(1), ErrorKind::kUntrusted, "timestamp: found that it expired");
  expect_error(maker().refresh({targets_key_}, {}), ErrorKind::kInvalidArgument,
               "too few of the private keys that speak for the role timestamp");
  ASSERT_TRUE(maker().refresh({timestamp_key_}, {}).ok());
  EXPECT_TRUE(read_as_client(1).ok());
}

TEST_F(ChannelMakerTest, SignsNothingWithTooFewKeys) {
  for (const auto& keys : {std::vector<PrivateKey>{}, {timestamp_key_}, {targets_key_}}) {
    expect_error(maker().publish({}, keys, {}), ErrorKind::kInvalidArgument, "too few");
  }
  EXPECT_FALSE(fs::exists(channel() / "1.targets.json"));
  expect_error(maker().rotate({}, {targets_key_}, {}), ErrorKind::kInvalidArgument,
               "the role root, expected 1 of " + root_key_.public_key().hint());
  EXPECT_FALSE(fs::exists(channel() / "2.root.json"));
}

TEST_F(ChannelMakerTest, RotatesEveryKey) {
  add("refuse", "1.0.0", 1);
  publish();
  ChannelKeys keys;
  const PrivateKey old_root = root_key_;
  root_key_ = PrivateKey::generate().value();
  keys.root = {root_key_.public_key()};
  const auto rooted = maker().rotate(keys, {old_root, root_key_}, {});
  ASSERT_TRUE(rooted.ok()) << rooted.error().to_string();
  EXPECT_TRUE(rooted->advice.empty());
  EXPECT_TRUE(read_as_client(1).ok());

  keys = {};
  targets_key_ = PrivateKey::generate().value();
  timestamp_key_ = PrivateKey::generate().value();
  keys.targets = keys.snapshot = {targets_key_.public_key()};
  keys.timestamp = {timestamp_key_.public_key()};
  ASSERT_TRUE(maker().rotate(keys, {root_key_}, {}).ok());
  expect_error(read_as_client(1), ErrorKind::kUntrusted, "by 0 keys of the role timestamp");
  publish();
  const auto update = read_as_client(2);
  ASSERT_TRUE(update.ok()) << update.error().to_string();
  EXPECT_EQ(update->targets().targets.size(), 1u);
  // Keys that are nobody's are gone from the root.
  EXPECT_EQ(update->root().keys.size(), 3u);
}

TEST_F(ChannelMakerTest, ANewTargetsKeyIsTheSnapshotsToo) {
  publish();
  const std::string old_id = TufKey::of(targets_key_.public_key())->id();
  targets_key_ = PrivateKey::generate().value();
  ChannelKeys keys;
  keys.targets = {targets_key_.public_key()};
  ASSERT_TRUE(maker().rotate(keys, {root_key_}, {}).ok());
  EXPECT_EQ(read(channel() / "2.root.json").find(old_id), std::string::npos);
  publish();
  EXPECT_TRUE(read_as_client(2).ok());
  // One with keys of its own keeps them.
  const PrivateKey snapshot_key = PrivateKey::generate().value();
  keys = {};
  keys.snapshot = {snapshot_key.public_key()};
  ASSERT_TRUE(maker().rotate(keys, {root_key_}, {}).ok());
  keys.snapshot.clear();
  keys.targets = {PrivateKey::generate()->public_key()};
  ASSERT_TRUE(maker().rotate(keys, {root_key_}, {}).ok());
  EXPECT_NE(read(channel() / "4.root.json").find(TufKey::of(snapshot_key.public_key())->id()),
            std::string::npos);
}

TEST_F(ChannelMakerTest, RefusesAnotherInitRolesWithoutKeysAndThresholdsBeyondThem) {
  ChannelKeys keys;
  keys.root = keys.targets = keys.timestamp = {root_key_.public_key()};
  expect_error(maker().init(keys, {root_key_}, {}), ErrorKind::kExists, "a channel there already");
  ChannelFolder other(directory_ / "other", now_);
  keys.timestamp.clear();
  expect_error(other.init(keys, {root_key_}, {}), ErrorKind::kInvalidArgument,
               "timestamp: found 0 keys");
  keys.timestamp = keys.root;
  keys.root_threshold = 2;
  expect_error(other.init(keys, {root_key_}, {}), ErrorKind::kInvalidArgument,
               "root: found 1 keys and a threshold of 2");
  keys.root_threshold = 1;
  ChannelDays days;
  days.root = 0;
  expect_error(other.init(keys, {root_key_}, days), ErrorKind::kInvalidArgument, "days: found 0");
  expect_error(other.init(keys, {targets_key_}, {}), ErrorKind::kInvalidArgument, "too few");
  EXPECT_FALSE(fs::exists(directory_ / "other"));
  EXPECT_TRUE(other.init(keys, {root_key_}, {}).ok());
}

}  // namespace
}  // namespace llmpatch
