// What is in a channel's folder, and whether the channel's own keys signed it.
#include <algorithm>

#include "base/file.h"
#include "base/quote.h"
#include "base/sha256.h"
#include "distribution/channel_maker.h"
#include "patch/expiry.h"
#include "trust/strict_json.h"
#include "trust/tuf_make.h"

namespace llmpatch {

namespace fs = std::filesystem;

Status check_channel_draft(const TufTargets& draft) {
  for (const auto& [path, target] : draft.targets) {
    if (path.ends_with(".llmpatch")) continue;
    return untrusted("targets", "found " + quote(path) + ", expected patches alone");
  }
  LLMPATCH_TRY(read_channel_targets(draft));
  return {};
}

Error ChannelFolder::not_published() const {
  return make_error(ErrorKind::kNotFound, "channel", folder_.string() + ": found no timestamp.json",
                    "llmpatch channel publish makes the first one");
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
    const std::string name = tuf_file_name(TufRole::kRoot, version);
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
  if (!fs::exists(folder_ / kChannelTimestamp, code)) return TufFileList{};
  LLMPATCH_ASSIGN(const TufEnvelope envelope,
                  read_signed(kChannelTimestamp, TufRole::kTimestamp, nullptr));
  return parse_tuf_timestamp(envelope, kChannelTimestamp);
}

Result<TufTargets> ChannelFolder::published() const {
  LLMPATCH_ASSIGN(const TufFileList newest, timestamp());
  if (newest.version == 0) return TufTargets();
  const TufFileInfo& pin = newest.files.at("snapshot.json");
  const std::string name = tuf_file_name(TufRole::kSnapshot, pin.version);
  LLMPATCH_ASSIGN(const TufEnvelope envelope, read_signed(name, TufRole::kSnapshot, &pin));
  LLMPATCH_ASSIGN(const TufFileList snapshot, parse_tuf_snapshot(envelope, name));
  const TufFileInfo& targets_pin = snapshot.files.at("targets.json");
  const std::string file = tuf_file_name(TufRole::kTargets, targets_pin.version);
  LLMPATCH_ASSIGN(const TufEnvelope targets, read_signed(file, TufRole::kTargets, &targets_pin));
  return parse_tuf_targets(targets, file);
}

Result<std::vector<std::string>> ChannelFolder::published_files() const {
  LLMPATCH_ASSIGN(const std::vector<TufRoot> chain, roots());
  LLMPATCH_ASSIGN(const TufFileList newest, timestamp());
  if (newest.version == 0) return not_published();
  LLMPATCH_ASSIGN(const TufTargets targets, published());
  LLMPATCH_ASSIGN(const std::vector<ChannelTarget> offers, read_channel_targets(targets));
  std::vector<std::string> files;
  for (const ChannelTarget& offer : offers) {
    if (!offer.revoked) files.push_back(channel_file(offer));
  }
  files.push_back(tuf_file_name(TufRole::kTargets, targets.version));
  files.push_back(tuf_file_name(TufRole::kSnapshot, newest.files.at("snapshot.json").version));
  for (const TufRoot& root : chain) files.push_back(tuf_file_name(TufRole::kRoot, root.version));
  files.push_back(kChannelTimestamp);
  return files;
}

// The published targets with the changes since; version and expiry are those of the published ones.
Result<TufTargets> ChannelFolder::draft() const {
  LLMPATCH_ASSIGN(TufTargets base, published());
  std::error_code code;
  if (fs::exists(folder_ / kChannelDraft, code)) {
    LLMPATCH_ASSIGN(const std::string text, read(kChannelDraft, TufRole::kTargets));
    LLMPATCH_ASSIGN(const TufEnvelope envelope,
                    parse_tuf_envelope(text, TufRole::kTargets, kChannelDraft));
    LLMPATCH_ASSIGN(TufTargets changed, parse_tuf_targets(envelope, kChannelDraft));
    base.targets = std::move(changed.targets);
  }
  LLMPATCH_TRY(check_channel_draft(base));
  return base;
}

// In the form of a targets.json that nobody signed.
Status ChannelFolder::write_draft(TufTargets draft) const {
  draft.version = std::max<std::int64_t>(draft.version, 1);
  draft.expires = utc_text(now_);
  return write(kChannelDraft,
               json_pretty(Json{{"signatures", Json::array()}, {"signed", tuf_body(draft)}}));
}

}  // namespace llmpatch
