#include "distribution/channel_maker.h"

#include <algorithm>

#include "base/file.h"
#include "base/sha256.h"
#include "patch/archive.h"
#include "patch/expiry.h"
#include "trust/tuf_make.h"
#include "trust/verify.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTargetsFolder = "targets";
constexpr int kMaxDays = 3650;

Error maker_error(ErrorKind kind, const std::string& message, const std::string& hint = "") {
  return make_error(kind, "channel", message, hint);
}

Status check_days(const ChannelDays& days) {
  for (const int each : {days.root, days.targets, days.timestamp}) {
    if (each >= 1 && each <= kMaxDays) continue;
    return maker_error(
        ErrorKind::kInvalidArgument,
        "days: found " + std::to_string(each) + ", expected 1 to " + std::to_string(kMaxDays));
  }
  return {};
}

// Puts `keys` in the place of the role's, where there are any.
Status set_role(TufRoot& root, TufRole role, const std::vector<PublicKey>& keys,
                std::int64_t threshold) {
  TufRoleKeys& names = root.roles[role];
  if (!keys.empty()) {
    names.keyids.clear();
    for (const PublicKey& key : keys) {
      LLMPATCH_ASSIGN(const TufKey made, TufKey::of(key));
      root.keys.emplace(made.id(), made);
      names.keyids.push_back(made.id());
    }
    std::sort(names.keyids.begin(), names.keyids.end());
    names.keyids.erase(std::unique(names.keyids.begin(), names.keyids.end()), names.keyids.end());
  }
  if (threshold != 0) names.threshold = threshold;
  if (names.threshold == 0) names.threshold = 1;
  const auto count = static_cast<std::int64_t>(names.keyids.size());
  if (names.threshold <= count) return {};
  return maker_error(ErrorKind::kInvalidArgument,
                     std::string(tuf_role_name(role)) + ": found " + std::to_string(count) +
                         " keys and a threshold of " + std::to_string(names.threshold) +
                         ", expected as many keys at least",
                     "every role needs the public keys that speak for it");
}

Status set_roles(TufRoot& root, const ChannelKeys& keys) {
  LLMPATCH_TRY(set_role(root, TufRole::kRoot, keys.root, keys.root_threshold));
  LLMPATCH_TRY(set_role(root, TufRole::kTargets, keys.targets, keys.targets_threshold));
  LLMPATCH_TRY(set_role(root, TufRole::kSnapshot, keys.snapshot, 0));
  LLMPATCH_TRY(set_role(root, TufRole::kTimestamp, keys.timestamp, 0));
  // Keys that no role has any more are not the channel's.
  std::erase_if(root.keys, [&](const auto& entry) {
    return std::none_of(root.roles.begin(), root.roles.end(), [&](const auto& role) {
      const auto& ids = role.second.keyids;
      return std::find(ids.begin(), ids.end(), entry.first) != ids.end();
    });
  });
  return {};
}

}  // namespace

std::string ChannelFolder::after(int days) const {
  return utc_text(now_ + std::time_t{days} * 24 * 3600);
}

Result<ChannelStep> ChannelFolder::init(const ChannelKeys& keys,
                                        const std::vector<PrivateKey>& signers,
                                        const ChannelDays& days, Collect collect) {
  LLMPATCH_TRY(check_days(days));
  std::error_code code;
  if (fs::exists(folder_ / tuf_file_name(TufRole::kRoot, 1), code)) {
    return maker_error(ErrorKind::kExists, folder_.string() + ": found a channel there already",
                       "llmpatch channel rotate makes its next root");
  }
  ChannelKeys all = keys;
  if (all.snapshot.empty()) all.snapshot = all.targets;
  TufRoot root;
  root.version = 1;
  root.expires = after(days.root);
  LLMPATCH_TRY(set_roles(root, all));
  LLMPATCH_ASSIGN(const std::string text,
                  sign_tuf_in_part(tuf_body(root), TufRole::kRoot, {}, signers, {&root}));
  if (collect == Collect::kNo) LLMPATCH_TRY(check_tuf_signed(text, TufRole::kRoot, {&root}));
  fs::create_directories(folder_ / kTargetsFolder, code);
  if (code) {
    return maker_error(ErrorKind::kIo, "create " + folder_.string() + ": " + code.message());
  }
  return put_root(root, nullptr, text, collect);
}

Result<ChannelTarget> ChannelFolder::add(const fs::path& patch, const Trust& trust) {
  LLMPATCH_ASSIGN(TufTargets draft, this->draft());
  LLMPATCH_ASSIGN([[maybe_unused]] const TufRoot root, newest_root());
  LLMPATCH_ASSIGN(const PatchFiles files, read_signed_files(patch));
  LLMPATCH_ASSIGN(const TrustedPatch loaded,
                  load_trusted_files(files, patch, trust, AllowUnsigned::kNo));
  LLMPATCH_ASSIGN(const std::string archive, pack_files(files));
  const ChannelTarget target = channel_target_of(loaded.patch.manifest, files, archive);
  if (target.expires && *target.expires <= utc_text(now_)) {
    return maker_error(ErrorKind::kDenied,
                       target.title() + ": found that it expired at " + *target.expires);
  }
  LLMPATCH_ASSIGN(const std::vector<ChannelTarget> others, read_channel_targets(draft));
  const std::string path = channel_path(target.name, target.version);
  for (const ChannelTarget& other : others) {
    if (channel_path(other.name, other.version) != path) continue;
    if (other.revoked) {
      return maker_error(ErrorKind::kDenied, target.title() + ": found that it was revoked",
                         "that is for ever: make a new version");
    }
    if (other.digest != target.digest) {
      return maker_error(ErrorKind::kExists,
                         target.title() + ": found it there with other contents, sha256:" +
                             other.digest + ", expected sha256:" + target.digest,
                         "what a version contains never changes: make a new version");
    }
  }
  std::error_code code;
  fs::create_directories(folder_ / kTargetsFolder, code);
  LLMPATCH_TRY(write(channel_file(target), archive));
  draft.targets.insert_or_assign(path, to_tuf_target(target));
  LLMPATCH_TRY(write_draft(std::move(draft)));
  return target;
}

Result<ChannelTarget> ChannelFolder::revoke(const std::string& name, const std::string& version) {
  LLMPATCH_ASSIGN(TufTargets draft, this->draft());
  LLMPATCH_ASSIGN(const std::vector<ChannelTarget> known, read_channel_targets(draft));
  const auto found = std::find_if(known.begin(), known.end(), [&](const ChannelTarget& target) {
    return target.name == name && target.version == version;
  });
  if (found == known.end()) {
    return maker_error(ErrorKind::kNotFound,
                       "revoke " + name + "@" + version + ": found no such patch in the channel");
  }
  ChannelTarget target = *found;
  target.revoked = true;
  draft.targets.insert_or_assign(channel_path(name, version), to_tuf_target(target));
  LLMPATCH_TRY(write_draft(std::move(draft)));
  return target;
}

std::string ChannelFolder::expiry_advice(const std::string& expires, const char* what) const {
  return std::string(what) + " by " + expires + ", when what was signed now expires";
}

Result<ChannelStep> ChannelFolder::publish(const TufTargets& draft,
                                           const std::vector<PrivateKey>& signers,
                                           const ChannelDays& days, Collect collect) {
  LLMPATCH_TRY(check_days(days));
  LLMPATCH_ASSIGN(const TufRoot root, newest_root());
  LLMPATCH_ASSIGN(const TufFileList before, timestamp());
  LLMPATCH_ASSIGN(TufTargets targets, published());
  LLMPATCH_TRY(check_channel_draft(draft));
  if (targets.version != draft.version) {
    return maker_error(ErrorKind::kExists,
                       "found version " + std::to_string(targets.version) +
                           " published, expected version " + std::to_string(draft.version),
                       "somebody has published meanwhile: look at the draft again");
  }
  LLMPATCH_ASSIGN(const TufTargets newest, this->draft());
  targets.targets = draft.targets;
  const bool is_all = tuf_body(newest)["targets"] == tuf_body(targets)["targets"];
  ++targets.version;
  targets.expires = after(days.targets);
  LLMPATCH_ASSIGN(const std::optional<TufEnvelope> waiting, pending(TufRole::kTargets));
  std::vector<TufSignature> have;
  if (waiting) {
    if (waiting->version != targets.version ||
        waiting->body["targets"] != tuf_body(targets)["targets"]) {
      return maker_error(ErrorKind::kExists,
                         "next.targets.json: found other targets that wait for signatures",
                         "publish what they say, or remove the file");
    }
    LLMPATCH_TRY(check_fresh(*waiting));
    targets.expires = waiting->expires;
    have = waiting->signatures;
  }
  LLMPATCH_ASSIGN(const std::string targets_text,
                  sign_tuf_in_part(tuf_body(targets), TufRole::kTargets, have, signers, {&root}));
  if (collect == Collect::kYes) return put_pending(TufRole::kTargets, targets_text, {&root});
  LLMPATCH_TRY(check_tuf_signed(targets_text, TufRole::kTargets, {&root}));
  TufFileList snapshot;
  snapshot.version = before.version > 0 ? before.files.at("snapshot.json").version + 1 : 1;
  snapshot.expires = targets.expires;
  TufFileList timestamp;
  timestamp.version = before.version + 1;
  timestamp.expires = after(days.timestamp);

  const auto info = [](std::int64_t version, const std::string& text) {
    return TufFileInfo{version, text.size(), sha256_hex(text)};
  };
  snapshot.files["targets.json"] = info(targets.version, targets_text);
  LLMPATCH_ASSIGN(const std::string snapshot_text,
                  sign_tuf(tuf_snapshot_body(snapshot), TufRole::kSnapshot, signers, {&root}));
  timestamp.files["snapshot.json"] = info(snapshot.version, snapshot_text);
  LLMPATCH_ASSIGN(const std::string timestamp_text,
                  sign_tuf(tuf_timestamp_body(timestamp), TufRole::kTimestamp, signers, {&root}));

  ChannelStep step;
  step.written = {tuf_file_name(TufRole::kTargets, targets.version),
                  tuf_file_name(TufRole::kSnapshot, snapshot.version), kChannelTimestamp};
  LLMPATCH_TRY(write(step.written[0], targets_text));
  LLMPATCH_TRY(write(step.written[1], snapshot_text));
  LLMPATCH_TRY(write(step.written[2], timestamp_text));
  // What was changed after it was shown is for the next time.
  if (is_all) forget(kChannelDraft);
  if (waiting) forget("next.targets.json");
  step.advice = {expiry_advice(timestamp.expires, "refresh"),
                 expiry_advice(targets.expires, "publish again")};
  return step;
}

Result<ChannelStep> ChannelFolder::refresh(const std::vector<PrivateKey>& signers,
                                           const ChannelDays& days) {
  LLMPATCH_TRY(check_days(days));
  LLMPATCH_ASSIGN(const TufRoot root, newest_root());
  LLMPATCH_ASSIGN(TufFileList timestamp, this->timestamp());
  if (timestamp.version == 0) return not_published();
  ++timestamp.version;
  timestamp.expires = after(days.timestamp);
  LLMPATCH_ASSIGN(const std::string text,
                  sign_tuf(tuf_timestamp_body(timestamp), TufRole::kTimestamp, signers, {&root}));
  LLMPATCH_TRY(write(kChannelTimestamp, text));
  return ChannelStep{{kChannelTimestamp}, {expiry_advice(timestamp.expires, "refresh")}};
}

Result<ChannelStep> ChannelFolder::rotate(const ChannelKeys& keys,
                                          const std::vector<PrivateKey>& signers,
                                          const ChannelDays& days, Collect collect) {
  LLMPATCH_TRY(check_days(days));
  LLMPATCH_ASSIGN(const TufRoot before, newest_root());
  TufRoot root = before;
  ++root.version;
  root.expires = after(days.root);
  ChannelKeys all = keys;
  // A snapshot that had the keys of the targets goes on having them: a key that is taken from the
  // targets, lost or stolen, must not go on speaking for snapshots.
  const bool shared =
      before.roles.at(TufRole::kSnapshot).keyids == before.roles.at(TufRole::kTargets).keyids;
  if (all.snapshot.empty() && shared) all.snapshot = all.targets;
  LLMPATCH_TRY(set_roles(root, all));
  const std::vector<const TufRoot*> both = {&before, &root};
  LLMPATCH_ASSIGN(const std::string text,
                  sign_tuf_in_part(tuf_body(root), TufRole::kRoot, {}, signers, both));
  if (collect == Collect::kNo) LLMPATCH_TRY(check_tuf_signed(text, TufRole::kRoot, both));
  return put_root(root, &before, text, collect);
}

}  // namespace llmpatch
