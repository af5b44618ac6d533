#include "distribution/channel_maker.h"

#include <algorithm>

#include "base/file.h"
#include "base/quote.h"
#include "base/sha256.h"
#include "distribution/moment.h"
#include "patch/archive.h"
#include "trust/strict_json.h"
#include "trust/tuf_make.h"
#include "trust/verify.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDraft = "draft.json";
constexpr const char* kTimestamp = "timestamp.json";
constexpr const char* kTargetsFolder = "targets";
constexpr int kMaxDays = 3650;

Error maker_error(ErrorKind kind, const std::string& message, const std::string& hint = "") {
  return make_error(kind, "channel", message, hint);
}

std::string version_file(TufRole role, std::int64_t version) {
  return std::to_string(version) + "." + tuf_role_name(role) + ".json";
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

// Whatever is signed is also shown: there are no targets beside the patches.
Status check_draft(const TufTargets& draft) {
  for (const auto& [path, target] : draft.targets) {
    if (path.ends_with(".llmpatch")) continue;
    return untrusted("targets", "found " + quote(path) + ", expected patches alone");
  }
  LLMPATCH_TRY(read_channel_targets(draft));
  return {};
}

}  // namespace

std::string ChannelFolder::after(int days) const {
  return utc_text(now_ + std::time_t{days} * 24 * 3600);
}

Result<std::string> ChannelFolder::read(const std::string& name, TufRole role) const {
  return read_file(folder_ / name, tuf_max_bytes(role), "channel");
}

Status ChannelFolder::write(const std::string& name, const std::string& bytes) const {
  return write_file_atomic(folder_ / name, bytes, Overwrite::kYes);
}

Result<std::vector<TufRoot>> ChannelFolder::roots() const {
  std::vector<TufRoot> chain;
  std::error_code code;
  for (std::int64_t version = 1;; ++version) {
    const std::string name = version_file(TufRole::kRoot, version);
    if (version > 1 && !fs::exists(folder_ / name, code)) return chain;
    LLMPATCH_ASSIGN(const std::string text, read(name, TufRole::kRoot));
    LLMPATCH_ASSIGN(const TufEnvelope envelope, parse_tuf_envelope(text, TufRole::kRoot, name));
    LLMPATCH_ASSIGN(TufRoot root, parse_tuf_root(envelope, name));
    if (!chain.empty()) LLMPATCH_TRY(verify_tuf(envelope, chain.back(), TufRole::kRoot, name));
    LLMPATCH_TRY(verify_tuf(envelope, root, TufRole::kRoot, name));
    chain.push_back(std::move(root));
  }
}

Result<TufRoot> ChannelFolder::newest_root() const {
  LLMPATCH_ASSIGN(std::vector<TufRoot> chain, roots());
  return std::move(chain.back());
}

// A file that was published, signed as one of the roots says: what was signed before a rotation is
// what the next step builds on.
Result<TufEnvelope> ChannelFolder::read_signed(const std::string& name, TufRole role,
                                               const TufFileInfo* pin) const {
  LLMPATCH_ASSIGN(const std::vector<TufRoot> chain, roots());
  LLMPATCH_ASSIGN(const std::string text, read(name, role));
  LLMPATCH_ASSIGN(TufEnvelope envelope, parse_tuf_envelope(text, role, name));
  Status verified = verify_tuf(envelope, chain.back(), role, name);
  for (const TufRoot& root : chain) {
    if (!verified.ok() && verify_tuf(envelope, root, role, name).ok()) verified = Status();
  }
  LLMPATCH_TRY(verified);
  const std::string digest = sha256_hex(text);
  if (pin != nullptr && pin->sha256.value_or(digest) != digest) {
    return untrusted(name, "found sha256 " + digest + ", expected " + *pin->sha256);
  }
  return envelope;
}

Result<TufFileList> ChannelFolder::timestamp() const {
  std::error_code code;
  if (!fs::exists(folder_ / kTimestamp, code)) return TufFileList{};
  LLMPATCH_ASSIGN(const TufEnvelope envelope,
                  read_signed(kTimestamp, TufRole::kTimestamp, nullptr));
  return parse_tuf_timestamp(envelope, kTimestamp);
}

Result<TufTargets> ChannelFolder::published() const {
  LLMPATCH_ASSIGN(const TufFileList newest, timestamp());
  if (newest.version == 0) return TufTargets();
  const TufFileInfo& pin = newest.files.at("snapshot.json");
  const std::string name = version_file(TufRole::kSnapshot, pin.version);
  LLMPATCH_ASSIGN(const TufEnvelope envelope, read_signed(name, TufRole::kSnapshot, &pin));
  LLMPATCH_ASSIGN(const TufFileList snapshot, parse_tuf_snapshot(envelope, name));
  const TufFileInfo& targets_pin = snapshot.files.at("targets.json");
  const std::string file = version_file(TufRole::kTargets, targets_pin.version);
  LLMPATCH_ASSIGN(const TufEnvelope targets, read_signed(file, TufRole::kTargets, &targets_pin));
  return parse_tuf_targets(targets, file);
}

// The published targets with the changes since; version and expiry are those of the published ones.
Result<TufTargets> ChannelFolder::draft() const {
  LLMPATCH_ASSIGN(TufTargets base, published());
  std::error_code code;
  if (fs::exists(folder_ / kDraft, code)) {
    LLMPATCH_ASSIGN(const std::string text, read(kDraft, TufRole::kTargets));
    LLMPATCH_ASSIGN(const TufEnvelope envelope,
                    parse_tuf_envelope(text, TufRole::kTargets, kDraft));
    LLMPATCH_ASSIGN(TufTargets changed, parse_tuf_targets(envelope, kDraft));
    base.targets = std::move(changed.targets);
  }
  LLMPATCH_TRY(check_draft(base));
  return base;
}

// In the form of a targets.json that nobody signed.
Status ChannelFolder::write_draft(TufTargets draft) const {
  draft.version = std::max<std::int64_t>(draft.version, 1);
  draft.expires = utc_text(now_);
  return write(kDraft,
               json_pretty(Json{{"signatures", Json::array()}, {"signed", tuf_body(draft)}}));
}

Result<ChannelStep> ChannelFolder::init(const ChannelKeys& keys,
                                        const std::vector<PrivateKey>& signers,
                                        const ChannelDays& days) {
  LLMPATCH_TRY(check_days(days));
  const std::string name = version_file(TufRole::kRoot, 1);
  std::error_code code;
  if (fs::exists(folder_ / name, code)) {
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
                  sign_tuf(tuf_body(root), TufRole::kRoot, signers, {&root}));
  fs::create_directories(folder_ / kTargetsFolder, code);
  if (code) {
    return maker_error(ErrorKind::kIo, "create " + folder_.string() + ": " + code.message());
  }
  LLMPATCH_TRY(write_file_atomic(folder_ / name, text, Overwrite::kNo));
  return ChannelStep{{name},
                     {"give " + name + " to operators by a way of its own: it is what they pin",
                      "next: llmpatch channel add and publish"}};
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
                                           const ChannelDays& days) {
  LLMPATCH_TRY(check_days(days));
  LLMPATCH_ASSIGN(const TufRoot root, newest_root());
  LLMPATCH_ASSIGN(const TufFileList before, timestamp());
  LLMPATCH_ASSIGN(TufTargets targets, published());
  LLMPATCH_TRY(check_draft(draft));
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
  TufFileList snapshot;
  snapshot.version = before.version > 0 ? before.files.at("snapshot.json").version + 1 : 1;
  snapshot.expires = targets.expires;
  TufFileList timestamp;
  timestamp.version = before.version + 1;
  timestamp.expires = after(days.timestamp);

  const auto info = [](std::int64_t version, const std::string& text) {
    return TufFileInfo{version, text.size(), sha256_hex(text)};
  };
  LLMPATCH_ASSIGN(const std::string targets_text,
                  sign_tuf(tuf_body(targets), TufRole::kTargets, signers, {&root}));
  snapshot.files["targets.json"] = info(targets.version, targets_text);
  LLMPATCH_ASSIGN(const std::string snapshot_text,
                  sign_tuf(tuf_snapshot_body(snapshot), TufRole::kSnapshot, signers, {&root}));
  timestamp.files["snapshot.json"] = info(snapshot.version, snapshot_text);
  LLMPATCH_ASSIGN(const std::string timestamp_text,
                  sign_tuf(tuf_timestamp_body(timestamp), TufRole::kTimestamp, signers, {&root}));

  ChannelStep step;
  step.written = {version_file(TufRole::kTargets, targets.version),
                  version_file(TufRole::kSnapshot, snapshot.version), kTimestamp};
  LLMPATCH_TRY(write(step.written[0], targets_text));
  LLMPATCH_TRY(write(step.written[1], snapshot_text));
  LLMPATCH_TRY(write(step.written[2], timestamp_text));
  // What was changed after it was shown is for the next time.
  std::error_code code;
  if (is_all) fs::remove(folder_ / kDraft, code);
  step.advice = {expiry_advice(timestamp.expires, "refresh"),
                 expiry_advice(targets.expires, "publish again")};
  return step;
}

Result<ChannelStep> ChannelFolder::refresh(const std::vector<PrivateKey>& signers,
                                           const ChannelDays& days) {
  LLMPATCH_TRY(check_days(days));
  LLMPATCH_ASSIGN(const TufRoot root, newest_root());
  LLMPATCH_ASSIGN(TufFileList timestamp, this->timestamp());
  if (timestamp.version == 0) {
    return maker_error(ErrorKind::kNotFound, folder_.string() + ": found no timestamp.json",
                       "llmpatch channel publish makes the first one");
  }
  ++timestamp.version;
  timestamp.expires = after(days.timestamp);
  LLMPATCH_ASSIGN(const std::string text,
                  sign_tuf(tuf_timestamp_body(timestamp), TufRole::kTimestamp, signers, {&root}));
  LLMPATCH_TRY(write(kTimestamp, text));
  return ChannelStep{{kTimestamp}, {expiry_advice(timestamp.expires, "refresh")}};
}

Result<ChannelStep> ChannelFolder::rotate(const ChannelKeys& keys,
                                          const std::vector<PrivateKey>& signers,
                                          const ChannelDays& days) {
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
  LLMPATCH_ASSIGN(const std::string text,
                  sign_tuf(tuf_body(root), TufRole::kRoot, signers, {&before, &root}));
  const std::string name = version_file(TufRole::kRoot, root.version);
  LLMPATCH_TRY(write_file_atomic(folder_ / name, text, Overwrite::kNo));
  ChannelStep step{{name}, {}};
  const auto differs = [&](TufRole role) { return before.roles.at(role) != root.roles.at(role); };
  if (differs(TufRole::kTargets) || differs(TufRole::kSnapshot)) {
    step.advice = {
        "next: llmpatch channel publish with the new keys; until then nobody can update"};
  } else if (differs(TufRole::kTimestamp)) {
    step.advice = {"next: llmpatch channel refresh with the new key; until then nobody can update"};
  }
  return step;
}

}  // namespace llmpatch
