#include "distribution/channel_target.h"

#include "base/sha256.h"
#include "patch/test_patch.h"
#include "trust/statement.h"

namespace llmpatch {
namespace {

const std::string kDigest(64, 'd');

TufTargets targets_with(const std::function<void(Json&)>& change,
                        const std::string& path = "refuse-1.2.3.llmpatch") {
  TufTargets targets{1, "2027-01-01T00:00:00Z", {}};
  Json custom = {{"name", "refuse"}, {"version", "1.2.3"}, {"digest", kDigest},
                 {"sequence", 7},    {"base", kDigest},    {"revoked", false}};
  change(custom);
  targets.targets[path] = {100, kDigest, custom};
  return targets;
}

TEST(ChannelTarget, ReadsWhatItWrites) {
  const PatchFiles files = patch_to_files(small_patch()).value();
  const Manifest manifest = small_patch().manifest;
  ChannelTarget made = channel_target_of(manifest, files, "archive");
  EXPECT_EQ(made.digest, root_digest(file_digests(files)));
  EXPECT_EQ(made.sha256, sha256_hex("archive"));
  EXPECT_EQ(made.length, 7u);
  made.revoked = true;
  TufTargets targets;
  targets.targets[channel_path(made.name, made.version)] = to_tuf_target(made);
  const auto read = read_channel_targets(targets);
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(to_tuf_target(read->at(0)).custom, to_tuf_target(made).custom);
  EXPECT_TRUE(read->at(0).revoked);
  EXPECT_EQ(channel_file(made), "targets/" + made.sha256 + ".refuse-1.2.3.llmpatch");
}

TEST(ChannelTarget, TheNewestComesFirst) {
  TufTargets targets = targets_with([](Json&) {});
  const auto add = [&](const char* version, int sequence) {
    Json custom = targets.targets.begin()->second.custom;
    custom["version"] = version;
    custom["sequence"] = sequence;
    targets.targets[channel_path("refuse", version)] = {1, kDigest, custom};
  };
  add("2.0.0", 6);
  add("1.10.0", 7);
  const auto read = read_channel_targets(targets).value();
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[0].version, "1.10.0");
  EXPECT_EQ(read[1].version, "1.2.3");
  EXPECT_EQ(read[2].version, "2.0.0");
}

TEST(ChannelTarget, PassesOverWhatIsNoPatch) {
  EXPECT_TRUE(read_channel_targets(targets_with([](Json& custom) { custom.clear(); }, "notes.txt"))
                  ->empty());
}

TEST(ChannelTarget, OneInAnotherFormCostsNeitherTheOthersNorItsRevocation) {
  const auto offers = [](const std::function<void(Json&)>& change) {
    TufTargets targets = targets_with(change);
    targets.targets["other-1.0.0.llmpatch"] =
        targets_with([](Json& custom) {
          custom["name"] = "other";
          custom["version"] = "1.0.0";
        }).targets.begin()->second;
    ChannelOffers found = read_channel_offers(targets);
    EXPECT_EQ(found.targets.size(), 1u);
    EXPECT_EQ(found.targets.at(0).name, "other");
    EXPECT_EQ(found.errors.size(), 1u);
    return found;
  };
  const ChannelOffers unknown = offers([](Json& custom) {
    custom["more"] = 1;
    custom["revoked"] = true;
  });
  expect_error(Status(unknown.errors.at(0)), ErrorKind::kUntrusted, "unknown member \"more\"");
  ASSERT_EQ(unknown.only_revoked.size(), 1u);
  EXPECT_EQ(unknown.only_revoked[0].title(), "patch refuse 1.2.3");
  EXPECT_EQ(unknown.only_revoked[0].digest, kDigest);
  // Not revoked, or nobody can say what is.
  EXPECT_TRUE(offers([](Json& custom) { custom["more"] = 1; }).only_revoked.empty());
  EXPECT_TRUE(offers([](Json& custom) { custom["revoked"] = 1; }).only_revoked.empty());
  EXPECT_TRUE(offers([](Json& custom) { custom = Json::array(); }).only_revoked.empty());
  for (const char* member : {"name", "version", "digest"}) {
    EXPECT_TRUE(offers([&](Json& custom) {
                  custom["revoked"] = true;
                  custom[member] = 1;
                }).only_revoked.empty())
        << member;
  }
}

TEST(ChannelTarget, RefusesWhatIsSaidInAnotherForm) {
  const auto refuse = [](const std::function<void(Json&)>& change, const char* part) {
    expect_error(read_channel_targets(targets_with(change)), ErrorKind::kUntrusted, part);
  };
  refuse([](Json& custom) { custom.erase("revoked"); }, "found no member revoked");
  refuse([](Json& custom) { custom["more"] = 1; }, "found unknown member \"more\"");
  refuse([](Json& custom) { custom["name"] = "../refuse"; }, "name: found");
  refuse([](Json& custom) { custom["name"] = 1; }, "name: found");
  refuse([](Json& custom) { custom["version"] = "1"; }, "version: found");
  refuse([](Json& custom) { custom["digest"] = "d"; }, "digest: found");
  refuse([](Json& custom) { custom["base"] = nullptr; }, "base: found");
  refuse([](Json& custom) { custom["revoked"] = 0; }, "revoked: found");
  refuse([](Json& custom) { custom["sequence"] = 0; }, "sequence: found");
  refuse([](Json& custom) { custom["sequence"] = UINT64_MAX; }, "sequence: found");
  refuse([](Json& custom) { custom["sequence"] = "7"; }, "sequence: found");
  refuse([](Json& custom) { custom["expires"] = "soon"; }, "expires: found");
  refuse([](Json& custom) { custom["version"] = "1.2.4"; },
         "expected the path refuse-1.2.4.llmpatch");
  TufTargets large = targets_with([](Json&) {});
  large.targets.begin()->second.length = (std::uint64_t{96} << 20) + 1;
  expect_error(read_channel_targets(large), ErrorKind::kLimit, "expected at most 100663296");
}

TEST(ChannelTarget, IsComparedWithThePatch) {
  const PatchFiles files = patch_to_files(small_patch()).value();
  const Manifest manifest = small_patch().manifest;
  const ChannelTarget good = channel_target_of(manifest, files, "");
  EXPECT_TRUE(check_channel_target(good, manifest, files).ok());
  const auto refuse = [&](const std::function<void(ChannelTarget&)>& change, const char* part) {
    ChannelTarget target = good;
    change(target);
    expect_error(check_channel_target(target, manifest, files), ErrorKind::kUntrusted, part);
  };
  refuse([](ChannelTarget& target) { target.name = "other"; }, "found name refuse");
  refuse([](ChannelTarget& target) { target.version = "1.2.4"; }, "found version 1.2.3");
  refuse([](ChannelTarget& target) { target.digest = kDigest; }, "found digest");
  refuse([](ChannelTarget& target) { target.sequence = 8; }, "found sequence 7");
  refuse([](ChannelTarget& target) { target.expires.reset(); }, "the channel says never");
  refuse([](ChannelTarget& target) { target.base = kDigest; }, "found base model");
}

}  // namespace
}  // namespace llmpatch
