// Updates from several addresses.
#include "distribution/test_channel.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class ChannelMirrorTest : public ChannelTest {};

// Malicious mirrors: garbage or nothing costs an attempt, and the next one is asked.
TEST_F(ChannelMirrorTest, GoesOnToTheNextMirror) {
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
TEST_F(ChannelMirrorTest, WhatHeldIsBelievedThoughWhatFollowedFailed) {
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

TEST_F(ChannelMirrorTest, AMirrorMayLackTheFileOfAPatch) {
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

}  // namespace
}  // namespace llmpatch
