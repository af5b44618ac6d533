// The four files of a TUF repository (specification 1.0): root, timestamp, snapshot and targets.
// Read strictly where llmpatch looks; what else is in them is signed and passed over, as TUF wants
// it. Delegations are such a thing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "trust/tuf_key.h"

namespace llmpatch {

enum class TufRole { kRoot, kTimestamp, kSnapshot, kTargets };

inline constexpr TufRole kTufRoles[] = {TufRole::kRoot, TufRole::kTimestamp, TufRole::kSnapshot,
                                        TufRole::kTargets};

// "root", "timestamp", "snapshot" or "targets".
const char* tuf_role_name(TufRole role);
// Where a repository has it: "7.targets.json"; of the timestamp, which has no number,
// "timestamp.json".
std::string tuf_file_name(TufRole role, std::int64_t version);
// How many bytes its file may have: those of other clients of TUF.
std::uint64_t tuf_max_bytes(TufRole role);

struct TufSignature {
  std::string keyid;
  std::string bytes;
};

// A file as it came: who says to have signed, and what.
struct TufEnvelope {
  TufRole role = TufRole::kRoot;
  Json body;            // "signed"
  std::string message;  // its canonical JSON, which the signatures are over
  std::vector<TufSignature> signatures;
  std::int64_t version = 0;
  std::string expires;  // is_utc_time
};

// Which keys speak for a role, and how many of them have to.
struct TufRoleKeys {
  std::vector<std::string> keyids;
  std::int64_t threshold = 0;

  bool operator==(const TufRoleKeys&) const = default;
};

struct TufRoot {
  std::int64_t version = 0;
  std::string expires;
  std::map<std::string, TufKey> keys;  // by id
  std::map<TufRole, TufRoleKeys> roles;
};

// What one file says about another.
struct TufFileInfo {
  std::int64_t version = 0;
  std::optional<std::uint64_t> length;
  std::optional<std::string> sha256;
};

// timestamp: of snapshot.json alone. snapshot: of targets.json and what else there is.
struct TufFileList {
  std::int64_t version = 0;
  std::string expires;
  std::map<std::string, TufFileInfo> files;
};

struct TufTarget {
  std::uint64_t length = 0;
  std::string sha256;
  Json custom;  // an object
};

struct TufTargets {
  std::int64_t version = 0;
  std::string expires;
  std::map<std::string, TufTarget> targets;  // by path
};

// Each function: kUntrusted for anything against the form, kLimit for more than tuf_max_bytes.

// `where` names the file in messages.
Result<TufEnvelope> parse_tuf_envelope(std::string_view text, TufRole role, std::string_view where);
// The body of an envelope of that role. A root names each of its keys by its own id, has keys for
// every role, and has consistent snapshots.
Result<TufRoot> parse_tuf_root(const TufEnvelope& envelope, std::string_view where);
Result<TufFileList> parse_tuf_timestamp(const TufEnvelope& envelope, std::string_view where);
Result<TufFileList> parse_tuf_snapshot(const TufEnvelope& envelope, std::string_view where);
Result<TufTargets> parse_tuf_targets(const TufEnvelope& envelope, std::string_view where);

// How many of the role's keys signed the envelope: the same key counts once, whatever ids it goes
// by.
std::size_t count_tuf_signers(const TufEnvelope& envelope, const TufRoot& root, TufRole role);

// kUntrusted unless these are as many as the role's threshold.
Status verify_tuf(const TufEnvelope& envelope, const TufRoot& root, TufRole role,
                  std::string_view where);

}  // namespace llmpatch
