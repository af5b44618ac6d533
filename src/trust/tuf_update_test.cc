// Each attack that the specification names, by the step of the client that stops it. Those that
// need a server (endless data, garbage mirrors, exchanged targets) are in
// distribution/channel_*_test.cc.
#include "trust/tuf_update.h"

#include <limits>

#include "trust/test_tuf.h"

namespace llmpatch {
namespace {

TufFiles pinned(const TestTuf& repository) { return {repository.files.root, "", "", ""}; }

// What a client believes after an update from `repository`.
TufFiles believed(const TestTuf& repository) {
  return update_tuf(pinned(repository), repository.files).value().files();
}

void expect_refused(const Result<TufUpdate>& update, std::string_view part) {
  expect_error(update, ErrorKind::kUntrusted, part);
}

// One character of the body, which leaves it JSON.
std::string altered(std::string text) {
  const auto at = text.find("2027-02");
  text[at + 3] = '8';
  return text;
}

// What is said of bytes that are not those pinned.
std::string pin_error(const std::string& found, const std::string& pinned) {
  if (found.size() == pinned.size()) {
    return "found sha256 " + sha256_hex(found) + ", expected " + sha256_hex(pinned);
  }
  return "found " + std::to_string(found.size()) + " bytes, expected " +
         std::to_string(pinned.size());
}

TEST(TufUpdate, TakesAnHonestRepositoryAndItsNextVersion) {
  TestTuf repository;
  const auto first = update_tuf(pinned(repository), repository.files);
  ASSERT_TRUE(first.ok()) << first.error().to_string();
  EXPECT_EQ(first->files(), repository.files);
  EXPECT_EQ(first->targets().targets.size(), 1u);
  EXPECT_EQ(first->expires(), kTufLater);
  repository.set_versions(2);
  const auto second = update_tuf(first->files(), repository.files);
  ASSERT_TRUE(second.ok()) << second.error().to_string();
  EXPECT_EQ(second->files().root, first->files().root);
  EXPECT_EQ(second->files().timestamp, repository.files.timestamp);
  EXPECT_EQ(second->files().snapshot, repository.files.snapshot);
  EXPECT_EQ(second->files().targets, repository.files.targets);
}

TEST(TufUpdate, TheSameAgainIsNoError) {
  const TestTuf repository;
  EXPECT_EQ(believed(repository), update_tuf(believed(repository), repository.files)->files());
}

// Arbitrary installation.
TEST(TufUpdate, RefusesAForeignKeyNoSignatureAndOneOverOtherBytes) {
  const TestTuf repository, foreign;
  for (std::string TufFiles::*file :
       {&TufFiles::timestamp, &TufFiles::snapshot, &TufFiles::targets}) {
    TestTuf pinless = repository;  // pins by hash would notice first
    TufFiles served = pinless.files;
    served.*file = foreign.files.*file;
    if (file == &TufFiles::snapshot) {
      pinless.files.snapshot = foreign.files.snapshot;
      pinless.make_timestamp();
      served.timestamp = pinless.files.timestamp;
    }
    expect_refused(update_tuf(pinned(repository), served), "found valid signatures by 0 keys");
    Json without = Json::parse(repository.files.*file);
    without["signatures"] = Json::array();
    served = repository.files;
    for (const std::string& bytes : {without.dump(), altered(repository.files.*file)}) {
      served.*file = bytes;
      // Of these, only the snapshot is pinned by its bytes.
      expect_refused(update_tuf(pinned(repository), served),
                     file == &TufFiles::snapshot
                         ? "1.snapshot.json: " + pin_error(bytes, repository.files.snapshot)
                         : "json: found valid signatures by 0 keys of the role ");
    }
  }
  expect_refused(update_tuf({altered(repository.files.root), "", "", ""}, repository.files),
                 "found valid signatures by 0 keys of the role root");
}

// Rollback, at every role.
TEST(TufUpdate, RefusesAnOlderTimestamp) {
  TestTuf repository;
  repository.set_versions(5);
  const TufFiles seen = believed(repository);
  repository.timestamp_version = 4;
  repository.make_timestamp();
  expect_refused(update_tuf(seen, repository.files),
                 "timestamp.json: found version 4, and version 5 was seen before");
}

TEST(TufUpdate, RefusesANewTimestampOfAnOlderSnapshot) {
  TestTuf repository;
  repository.set_versions(5);
  const TufFiles seen = believed(repository);
  repository.snapshot_version = 4;
  repository.timestamp_version = 6;
  repository.publish();
  expect_refused(update_tuf(seen, repository.files), "found version 4 of snapshot.json");
}

TEST(TufUpdate, RefusesANewSnapshotOfOlderTargetsAndOneWithoutWhatItHad) {
  TestTuf repository;
  repository.other_files["more.json"] = 3;
  repository.set_versions(5);
  const TufFiles seen = believed(repository);
  repository.timestamp_version = repository.snapshot_version = 6;
  repository.targets_version = 4;
  repository.publish();
  expect_refused(update_tuf(seen, repository.files), "found version 4 of targets.json");
  repository.targets_version = 5;
  repository.other_files.clear();
  repository.publish();
  expect_refused(update_tuf(seen, repository.files), "found no more.json");
}

TEST(TufUpdate, RefusesAnOlderRootTheSameOneAndOneThatSkips) {
  TestTuf one;
  TestTuf two = one;
  two.root_version = 2;
  two.publish();
  TestTuf three = two;
  three.root_version = 3;
  const TufFiles seen = {two.make_root(&one), "", "", ""};
  expect_refused(update_tuf(seen, one.files, {one.files.root}),
                 "3.root.json: found version 1, expected version 3");
  expect_refused(update_tuf(seen, one.files, {seen.root}), "found version 2, expected version 3");
  EXPECT_TRUE(update_tuf(seen, one.files, {three.make_root(&two)}).ok());
  expect_refused(update_tuf(pinned(one), one.files, {three.make_root(&two)}),
                 "2.root.json: found version 3, expected version 2");
}

// Mix and match.
TEST(TufUpdate, RefusesAnotherSnapshotThanTheTimestampSaysAndOtherTargetsThanTheSnapshot) {
  TestTuf repository;
  const TufFiles first = repository.files;
  repository.set_versions(2);
  TufFiles served = repository.files;
  served.snapshot = first.snapshot;
  expect_refused(update_tuf(pinned(repository), served),
                 "2.snapshot.json: " + pin_error(first.snapshot, repository.files.snapshot));
  served = repository.files;
  served.targets = first.targets;
  expect_refused(update_tuf(pinned(repository), served),
                 "2.targets.json: found version 1, expected version 2");
}

// Indefinite freeze: what was fresh once is not for ever.
TEST(TufUpdate, RefusesEveryRoleThatHasExpired) {
  for (const TufRole role : kTufRoles) {
    TestTuf repository;
    repository.expires[role] = kTufPast;
    repository.publish();
    expect_refused(update_tuf(pinned(repository), repository.files),
                   std::string(tuf_role_name(role)) + ": found that it expired at " + kTufPast);
    repository.expires[role] = kTufNow;  // at that moment it has
    repository.publish();
    expect_refused(update_tuf(pinned(repository), repository.files), tuf_role_name(role));
  }
}

TEST(TufUpdate, RefusesTheLastTimestampOnceItHasExpired) {
  TestTuf repository;
  const TufFiles seen = believed(repository);
  expect_refused(update_tuf(seen, repository.files, {}, "2027-02-01T00:00:01Z"), "expired");
}

TEST(TufUpdate, AnExpiredRootMayLeadToAFreshOne) {
  TestTuf one;
  one.expires[TufRole::kRoot] = kTufPast;
  one.publish();
  TestTuf two = one;
  two.root_version = 2;
  two.expires[TufRole::kRoot] = kTufLater;
  two.publish();
  EXPECT_TRUE(update_tuf(pinned(one), two.files, {two.make_root(&one)}).ok());
}

// Fast forward, and how a maker gets out of it.
TEST(TufUpdate, AFastForwardEndsWithOtherKeysOfTimestampOrSnapshot) {
  for (const TufRole role : {TufRole::kTimestamp, TufRole::kSnapshot}) {
    TestTuf repository;
    TestTuf attacked = repository;  // by somebody who has both keys
    attacked.timestamp_version = attacked.snapshot_version = std::int64_t{1} << 31;
    attacked.publish();
    const TufFiles seen = believed(attacked);
    repository.set_versions(2);
    expect_refused(update_tuf(seen, repository.files), "2147483648 was seen before");

    TestTuf recovered = repository;
    recovered.root_version = 2;
    recovered.keys.at(role) = {PrivateKey::generate().value()};
    recovered.publish();
    const std::string root = recovered.make_root(&repository);
    const auto update = update_tuf(seen, recovered.files, {root});
    ASSERT_TRUE(update.ok()) << update.error().to_string();
    EXPECT_EQ(update->files().timestamp, recovered.files.timestamp);
    // The old key says nothing any more.
    if (role == TufRole::kTimestamp) {
      expect_refused(update_tuf(update->files(), attacked.files), "signatures by 0 keys");
    }
  }
}

TEST(TufUpdate, ARootThatChangesOtherKeysForgetsNoVersion) {
  TestTuf repository;
  repository.set_versions(5);
  const TufFiles seen = believed(repository);
  TestTuf next = repository;
  next.root_version = 2;
  next.keys.at(TufRole::kTargets) = {PrivateKey::generate().value()};
  next.set_versions(4);
  expect_refused(update_tuf(seen, next.files, {next.make_root(&repository)}), "was seen before");
}

// Key compromise.
TEST(TufUpdate, ANewRootNeedsTheOldKeysAndItsOwn) {
  TestTuf repository;
  repository.keys.at(TufRole::kRoot).push_back(PrivateKey::generate().value());
  repository.thresholds[TufRole::kRoot] = 2;
  repository.publish();
  TestTuf thief = repository;  // with one of the two keys
  thief.root_version = 2;
  thief.keys.at(TufRole::kRoot) = {repository.keys.at(TufRole::kRoot)[0]};
  thief.thresholds[TufRole::kRoot] = 1;
  thief.publish();
  expect_refused(update_tuf(pinned(repository), thief.files, {thief.make_root()}),
                 "by the root before it: found valid signatures by 1 keys of the role root, "
                 "expected 2");
  // Signed as the old root wants it, and not as it says itself.
  TestTuf next = repository;
  next.root_version = 2;
  next.keys.at(TufRole::kRoot) = {PrivateKey::generate().value()};
  next.thresholds.clear();
  Json half = Json::parse(next.make_root(&repository));
  const std::string own = TufKey::of(next.keys.at(TufRole::kRoot)[0].public_key()).value().id();
  Json kept = Json::array();
  for (const Json& signature : half["signatures"]) {
    if (signature["keyid"] != own) kept.push_back(signature);
  }
  ASSERT_EQ(kept.size(), half["signatures"].size() - 1);
  half["signatures"] = kept;
  expect_refused(update_tuf(pinned(repository), next.files, {half.dump()}),
                 "2.root.json: found valid signatures by 0 keys");
  EXPECT_TRUE(
      TufUpdate::begin(pinned(repository), kTufNow)->add_root(next.make_root(&repository)).ok());
}

TEST(TufUpdate, TheTimestampKeySignsNothingElse) {
  const TestTuf repository;
  TestTuf thief = repository;
  thief.keys.at(TufRole::kTargets) = thief.keys.at(TufRole::kTimestamp);
  thief.keys.at(TufRole::kSnapshot) = thief.keys.at(TufRole::kTimestamp);
  thief.set_versions(2);
  expect_refused(update_tuf(pinned(repository), thief.files),
                 "2.snapshot.json: found valid signatures by 0 keys of the role snapshot");
}

TEST(TufUpdate, GoesOnByABoundedNumberOfRoots) {
  TestTuf repository;
  auto update = TufUpdate::begin(pinned(repository), kTufNow).value();
  for (int i = 0; i < TufUpdate::kMaxRotations; ++i) {
    ++repository.root_version;
    ASSERT_TRUE(update.add_root(repository.make_root()).ok()) << i;
  }
  ++repository.root_version;
  expect_error(update.add_root(repository.make_root()), ErrorKind::kLimit, "more than 256 roots");
}

// Endless data: what the pins say is all that is asked for.
TEST(TufUpdate, SaysHowManyBytesAreWanted) {
  const TestTuf repository;
  auto update = TufUpdate::begin(pinned(repository), kTufNow).value();
  EXPECT_EQ(update.next_root().version, 2);
  EXPECT_EQ(update.next_root().max_bytes, 512'000u);
  ASSERT_TRUE(update.set_timestamp(repository.files.timestamp).ok());
  EXPECT_EQ(update.wanted_snapshot().max_bytes, repository.files.snapshot.size());
  ASSERT_TRUE(update.set_snapshot(repository.files.snapshot).ok());
  EXPECT_EQ(update.wanted_targets().max_bytes, 5'000'000u);  // no length is pinned
  expect_error(update.set_targets(std::string(5'000'001, ' ')), ErrorKind::kLimit, "5000001 bytes");
}

TEST(TufUpdate, BeginsWithARootThatHoldsByItself) {
  const TestTuf repository, other;
  expect_error(TufUpdate::begin({"", "", "", ""}, kTufNow), ErrorKind::kUntrusted,
               "the root that is believed: ");
  Json stripped = Json::parse(repository.files.root);
  stripped["signatures"] = Json::parse(other.files.root)["signatures"];
  expect_error(TufUpdate::begin({stripped.dump(), "", "", ""}, kTufNow), ErrorKind::kUntrusted,
               "found valid signatures by 0 keys");
}

}  // namespace
}  // namespace llmpatch
