// What the tests of TUF share: a repository in memory, made anew or wrong in one place.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "trust/test_signing.h"
#include "trust/tuf_make.h"
#include "trust/tuf_update.h"

namespace llmpatch {

inline constexpr const char* kTufNow = "2027-01-01T00:00:00Z";
inline constexpr const char* kTufLater = "2027-02-01T00:00:00Z";
inline constexpr const char* kTufPast = "2026-12-31T23:59:59Z";

// Four keys, one a role, and the newest files. What a test changes shows in what is made next.
class TestTuf {
 public:
  TestTuf() {
    for (const TufRole role : kTufRoles) {
      keys.emplace(role, std::vector<PrivateKey>{PrivateKey::generate().value()});
    }
    publish();
  }

  TufRoot root() const {
    TufRoot made;
    made.version = root_version;
    made.expires = expires.at(TufRole::kRoot);
    for (const auto& [role, privates] : keys) {
      TufRoleKeys& names = made.roles[role];
      names.threshold = thresholds.contains(role) ? thresholds.at(role) : 1;
      for (const PrivateKey& key : privates) {
        const TufKey open = TufKey::of(key.public_key()).value();
        made.keys.emplace(open.id(), open);
        names.keyids.push_back(open.id());
      }
      std::sort(names.keyids.begin(), names.keyids.end());
    }
    return made;
  }

  // All private keys of all roles.
  std::vector<PrivateKey> all_keys() const {
    std::vector<PrivateKey> all;
    for (const auto& [role, privates] : keys)
      all.insert(all.end(), privates.begin(), privates.end());
    return all;
  }

  std::string sign(const Json& body, TufRole role) const {
    const TufRoot now = root();
    return sign_tuf(body, role, all_keys(), {&now}).value();
  }

  // The first root, or one signed by `before` too.
  std::string make_root(const TestTuf* before = nullptr) const {
    const TufRoot now = root();
    if (before == nullptr)
      return sign_tuf(tuf_body(now), TufRole::kRoot, all_keys(), {&now}).value();
    const TufRoot old = before->root();
    std::vector<PrivateKey> signers = all_keys();
    for (const PrivateKey& key : before->all_keys()) signers.push_back(key);
    return sign_tuf(tuf_body(now), TufRole::kRoot, signers, {&old, &now}).value();
  }

  // Signs everything with the versions below.
  void publish() {
    files.root = make_root();
    const std::string patch = "bytes of a patch";
    TufTargets targets{targets_version, expires.at(TufRole::kTargets), {}};
    targets.targets["refuse-1.0.0.llmpatch"] = {patch.size(), sha256_hex(patch), Json::object()};
    files.targets = sign(tuf_body(targets), TufRole::kTargets);
    TufFileList snapshot{snapshot_version, expires.at(TufRole::kSnapshot), {}};
    snapshot.files["targets.json"].version = targets_version;
    for (const auto& [name, version] : other_files) snapshot.files[name].version = version;
    files.snapshot = sign(tuf_snapshot_body(snapshot), TufRole::kSnapshot);
    make_timestamp();
  }

  void make_timestamp() {
    TufFileList timestamp{timestamp_version, expires.at(TufRole::kTimestamp), {}};
    timestamp.files["snapshot.json"] = {snapshot_version, files.snapshot.size(),
                                        sha256_hex(files.snapshot)};
    files.timestamp = sign(tuf_timestamp_body(timestamp), TufRole::kTimestamp);
  }

  void set_versions(std::int64_t version) {
    timestamp_version = snapshot_version = targets_version = version;
    publish();
  }

  std::map<TufRole, std::vector<PrivateKey>> keys;
  std::map<TufRole, std::int64_t> thresholds;  // 1 where none stands
  std::map<TufRole, std::string> expires{{TufRole::kRoot, kTufLater},
                                         {TufRole::kTimestamp, kTufLater},
                                         {TufRole::kSnapshot, kTufLater},
                                         {TufRole::kTargets, kTufLater}};
  std::map<std::string, std::int64_t> other_files;  // that the snapshot lists beside targets.json
  std::int64_t root_version = 1, timestamp_version = 1, snapshot_version = 1, targets_version = 1;
  TufFiles files;
};

// The whole update from what is believed to what is served, with the roots between.
inline Result<TufUpdate> update_tuf(const TufFiles& believed, const TufFiles& served,
                                    const std::vector<std::string>& roots = {},
                                    const std::string& now = kTufNow) {
  LLMPATCH_ASSIGN(TufUpdate update, TufUpdate::begin(believed, now));
  for (const std::string& root : roots) LLMPATCH_TRY(update.add_root(root));
  LLMPATCH_TRY(update.end_roots());
  LLMPATCH_TRY(update.set_timestamp(served.timestamp));
  LLMPATCH_TRY(update.set_snapshot(served.snapshot));
  LLMPATCH_TRY(update.set_targets(served.targets));
  return update;
}

}  // namespace llmpatch
