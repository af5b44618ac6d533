#include "trust/tuf_update.h"

#include <algorithm>

#include "base/sha256.h"
#include "trust/strict_json.h"

namespace llmpatch {
namespace {

std::string number(std::int64_t value) { return std::to_string(value); }

Error rollback(std::string_view where, const std::string& what, std::int64_t found,
               std::int64_t seen) {
  return untrusted(where, "found version " + number(found) + what + ", and version " +
                              number(seen) + " was seen before: an older state is given out again");
}

// What one file says about another one must hold for the bytes that came.
Status check_pin(const TufFileInfo& pin, std::string_view bytes, std::string_view where) {
  if (pin.length && *pin.length != bytes.size()) {
    return untrusted(where, "found " + std::to_string(bytes.size()) + " bytes, expected " +
                                std::to_string(*pin.length));
  }
  if (!pin.sha256) return {};
  const std::string digest = sha256_hex(bytes);
  if (digest == *pin.sha256) return {};
  return untrusted(where, "found sha256 " + digest + ", expected " + *pin.sha256);
}

Status check_version(std::int64_t found, std::int64_t expected, std::string_view where) {
  if (found == expected) return {};
  return untrusted(where,
                   "found version " + number(found) + ", expected version " + number(expected));
}

// No file of `before` may be missing or older now.
Status check_not_older(const TufFileList& now, const TufFileList& before, std::string_view where) {
  for (const auto& [name, info] : before.files) {
    const auto found = now.files.find(name);
    if (found == now.files.end()) {
      return untrusted(where, "found no " + name + ", which was in it before");
    }
    if (found->second.version < info.version) {
      return rollback(where, " of " + name, found->second.version, info.version);
    }
  }
  return {};
}

TufWanted wanted(const TufFileInfo& info, TufRole role) {
  return {info.version, std::min(info.length.value_or(tuf_max_bytes(role)), tuf_max_bytes(role))};
}

Result<TufFileList> read_believed(const std::string& text, TufRole role) {
  const std::string where = std::string("the ") + tuf_role_name(role) + " of the last update";
  LLMPATCH_ASSIGN(const TufEnvelope envelope, parse_tuf_envelope(text, role, where));
  return role == TufRole::kTimestamp ? parse_tuf_timestamp(envelope, where)
                                     : parse_tuf_snapshot(envelope, where);
}

}  // namespace

Result<TufUpdate> TufUpdate::begin(TufFiles believed, std::string now) {
  TufUpdate update;
  update.now_ = std::move(now);
  const char* where = "the root that is believed";
  LLMPATCH_ASSIGN(const TufEnvelope envelope,
                  parse_tuf_envelope(believed.root, TufRole::kRoot, where));
  LLMPATCH_ASSIGN(update.root_, parse_tuf_root(envelope, where));
  LLMPATCH_TRY(verify_tuf(envelope, update.root_, TufRole::kRoot, where));
  if (!believed.timestamp.empty()) {
    LLMPATCH_ASSIGN(update.timestamp_, read_believed(believed.timestamp, TufRole::kTimestamp));
  }
  if (!believed.snapshot.empty()) {
    LLMPATCH_ASSIGN(update.snapshot_, read_believed(believed.snapshot, TufRole::kSnapshot));
  }
  update.files_ = std::move(believed);
  return update;
}

Status TufUpdate::check_fresh(TufRole role, const std::string& expires) const {
  if (now_ < expires) return {};
  Error error = untrusted(tuf_role_name(role),
                          "found that it expired at " + expires + ", and now is " + now_);
  error.hint =
      "the maker has not renewed it, or somebody holds back what is newer; look at the clock, too";
  return error;
}

TufWanted TufUpdate::next_root() const {
  return {root_.version + 1, tuf_max_bytes(TufRole::kRoot)};
}

Status TufUpdate::add_root(std::string_view bytes) {
  const std::string where = tuf_file_name(TufRole::kRoot, root_.version + 1);
  if (rotations_ == kMaxRotations) {
    return make_error(ErrorKind::kLimit, "trust",
                      where + ": found more than " + number(kMaxRotations) + " roots");
  }
  LLMPATCH_ASSIGN(const TufEnvelope envelope, parse_tuf_envelope(bytes, TufRole::kRoot, where));
  LLMPATCH_ASSIGN(TufRoot next, parse_tuf_root(envelope, where));
  LLMPATCH_TRY(verify_tuf(envelope, root_, TufRole::kRoot, where + ", by the root before it"));
  LLMPATCH_TRY(verify_tuf(envelope, next, TufRole::kRoot, where));
  LLMPATCH_TRY(check_version(next.version, root_.version + 1, where));
  for (const TufRole role : {TufRole::kTimestamp, TufRole::kSnapshot}) {
    if (next.roles.at(role) == root_.roles.at(role)) continue;
    timestamp_.reset();
    snapshot_.reset();
    files_.timestamp.clear();
    files_.snapshot.clear();
  }
  root_ = std::move(next);
  files_.root = bytes;
  ++rotations_;
  return {};
}

Status TufUpdate::end_roots() { return check_fresh(TufRole::kRoot, root_.expires); }

Status TufUpdate::set_timestamp(std::string_view bytes) {
  const char* where = "timestamp.json";
  LLMPATCH_ASSIGN(const TufEnvelope envelope,
                  parse_tuf_envelope(bytes, TufRole::kTimestamp, where));
  LLMPATCH_TRY(verify_tuf(envelope, root_, TufRole::kTimestamp, where));
  LLMPATCH_ASSIGN(TufFileList found, parse_tuf_timestamp(envelope, where));
  if (timestamp_ && found.version < timestamp_->version) {
    return rollback(where, "", found.version, timestamp_->version);
  }
  // The same version again is what was believed already, whatever else it says.
  if (timestamp_ && found.version == timestamp_->version) {
    return check_fresh(TufRole::kTimestamp, timestamp_->expires);
  }
  if (timestamp_) LLMPATCH_TRY(check_not_older(found, *timestamp_, where));
  LLMPATCH_TRY(check_fresh(TufRole::kTimestamp, found.expires));
  timestamp_ = std::move(found);
  files_.timestamp = bytes;
  return {};
}

TufWanted TufUpdate::wanted_snapshot() const {
  return wanted(timestamp_->files.at("snapshot.json"), TufRole::kSnapshot);
}

Status TufUpdate::set_snapshot(std::string_view bytes) {
  const TufFileInfo& pin = timestamp_->files.at("snapshot.json");
  const std::string where = tuf_file_name(TufRole::kSnapshot, pin.version);
  LLMPATCH_TRY(check_pin(pin, bytes, where));
  LLMPATCH_ASSIGN(const TufEnvelope envelope, parse_tuf_envelope(bytes, TufRole::kSnapshot, where));
  LLMPATCH_TRY(verify_tuf(envelope, root_, TufRole::kSnapshot, where));
  LLMPATCH_ASSIGN(TufFileList found, parse_tuf_snapshot(envelope, where));
  LLMPATCH_TRY(check_version(found.version, pin.version, where));
  if (snapshot_) LLMPATCH_TRY(check_not_older(found, *snapshot_, where));
  LLMPATCH_TRY(check_fresh(TufRole::kSnapshot, found.expires));
  snapshot_ = std::move(found);
  files_.snapshot = bytes;
  return {};
}

TufWanted TufUpdate::wanted_targets() const {
  return wanted(snapshot_->files.at("targets.json"), TufRole::kTargets);
}

Status TufUpdate::set_targets(std::string_view bytes) {
  const TufFileInfo& pin = snapshot_->files.at("targets.json");
  const std::string where = tuf_file_name(TufRole::kTargets, pin.version);
  LLMPATCH_TRY(check_pin(pin, bytes, where));
  LLMPATCH_ASSIGN(const TufEnvelope envelope, parse_tuf_envelope(bytes, TufRole::kTargets, where));
  LLMPATCH_TRY(verify_tuf(envelope, root_, TufRole::kTargets, where));
  LLMPATCH_ASSIGN(TufTargets found, parse_tuf_targets(envelope, where));
  LLMPATCH_TRY(check_version(found.version, pin.version, where));
  LLMPATCH_TRY(check_fresh(TufRole::kTargets, found.expires));
  targets_ = std::move(found);
  files_.targets = bytes;
  return {};
}

std::string TufUpdate::expires() const {
  return std::min({root_.expires, timestamp_->expires, snapshot_->expires, targets_.expires});
}

}  // namespace llmpatch
