#include "trust/tuf_metadata.h"

#include <algorithm>
#include <set>

#include "base/hex.h"
#include "base/quote.h"
#include "base/sha256.h"
#include "patch/names.h"
#include "trust/canonical_json.h"
#include "trust/strict_json.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxSignatures = 64;
constexpr std::size_t kMaxKeys = 64;
constexpr std::size_t kMaxFiles = 4096;
constexpr std::int64_t kMaxThreshold = 64;
constexpr std::size_t kMaxSignatureDigits = 2048;

std::string at(std::string_view where, std::string_view what) {
  return std::string(where) + ": " + std::string(what);
}

Result<Json> member(const Json& object, const char* name, std::string_view where) {
  if (!object.is_object()) {
    return untrusted(where, std::string("found ") + object.type_name() + ", expected an object");
  }
  const auto found = object.find(name);
  if (found == object.end()) return untrusted(where, std::string("found no member ") + name);
  return *found;
}

Result<std::string> text_member(const Json& object, const char* name, std::string_view where) {
  LLMPATCH_ASSIGN(const Json value, member(object, name, where));
  return text_of(value, at(where, name));
}

// An integer from `least` to that of 63 bits.
Result<std::int64_t> number_member(const Json& object, const char* name, std::int64_t least,
                                   std::string_view where) {
  LLMPATCH_ASSIGN(const Json value, member(object, name, where));
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX);
  if (!fits || value.get<std::int64_t>() < least) {
    return untrusted(at(where, name), "found " + quote(value.dump()) + ", expected an integer of " +
                                          std::to_string(least) + " or more");
  }
  return value.get<std::int64_t>();
}

Result<Json> object_member(const Json& object, const char* name, std::size_t most,
                           std::string_view where) {
  LLMPATCH_ASSIGN(Json value, member(object, name, where));
  if (!value.is_object() || value.size() > most) {
    return untrusted(at(where, name), std::string("found ") + value.type_name() +
                                          ", expected an object of at most " +
                                          std::to_string(most) + " members");
  }
  return value;
}

Result<Json> list_member(const Json& object, const char* name, std::size_t most,
                         std::string_view where) {
  LLMPATCH_ASSIGN(Json value, member(object, name, where));
  if (!value.is_array() || value.size() > most) {
    return untrusted(at(where, name), std::string("found ") + value.type_name() +
                                          ", expected a list of at most " + std::to_string(most));
  }
  return value;
}

// {"sha256": …}; other hashes beside it are not looked at.
Result<std::string> sha256_member(const Json& object, std::string_view where) {
  LLMPATCH_ASSIGN(const Json hashes, object_member(object, "hashes", 16, where));
  LLMPATCH_ASSIGN(std::string digest, text_member(hashes, "sha256", at(where, "hashes")));
  if (is_sha256_hex(digest)) return digest;
  return untrusted(at(where, "hashes"), "found " + quote(digest) + ", expected 64 digits");
}

Result<TufRoleKeys> read_role(const Json& roles, TufRole role, const TufRoot& root,
                              std::string_view where) {
  const std::string here = at(where, tuf_role_name(role));
  LLMPATCH_ASSIGN(const Json entry, object_member(roles, tuf_role_name(role), 64, where));
  TufRoleKeys keys;
  LLMPATCH_ASSIGN(keys.threshold, number_member(entry, "threshold", 1, here));
  LLMPATCH_ASSIGN(const Json ids, list_member(entry, "keyids", kMaxKeys, here));
  std::set<std::string> identities;
  for (const Json& id : ids) {
    LLMPATCH_ASSIGN(std::string keyid, text_of(id, at(here, "keyids")));
    const auto key = root.keys.find(keyid);
    if (key == root.keys.end()) {
      return untrusted(at(here, "keyids"), "found " + quote(keyid) + ", which no key has");
    }
    identities.insert(key->second.identity());
    keys.keyids.push_back(std::move(keyid));
  }
  std::sort(keys.keyids.begin(), keys.keyids.end());
  if (keys.threshold > kMaxThreshold || identities.size() < std::size_t(keys.threshold)) {
    return untrusted(here, "found " + std::to_string(identities.size()) +
                               " keys, expected as many as the threshold of " +
                               std::to_string(keys.threshold));
  }
  return keys;
}

Result<TufFileInfo> read_file_info(const Json& entry, std::string_view where) {
  TufFileInfo info;
  LLMPATCH_ASSIGN(info.version, number_member(entry, "version", 1, where));
  if (entry.contains("length")) {
    LLMPATCH_ASSIGN(const std::int64_t length, number_member(entry, "length", 0, where));
    info.length = length;
  }
  if (entry.contains("hashes")) {
    LLMPATCH_ASSIGN(info.sha256, sha256_member(entry, where));
  }
  return info;
}

Result<TufFileList> read_files(const TufEnvelope& envelope, const char* needed,
                               std::string_view where) {
  TufFileList list{envelope.version, envelope.expires, {}};
  LLMPATCH_ASSIGN(const Json meta, object_member(envelope.body, "meta", kMaxFiles, where));
  for (const auto& [name, entry] : meta.items()) {
    LLMPATCH_ASSIGN(list.files[name], read_file_info(entry, at(where, "meta: " + quote(name))));
  }
  if (!list.files.contains(needed)) {
    return untrusted(at(where, "meta"), std::string("found no ") + needed);
  }
  return list;
}

}  // namespace

const char* tuf_role_name(TufRole role) {
  switch (role) {
    case TufRole::kRoot:
      return "root";
    case TufRole::kTimestamp:
      return "timestamp";
    case TufRole::kSnapshot:
      return "snapshot";
    case TufRole::kTargets:
      break;
  }
  return "targets";
}

std::string tuf_file_name(TufRole role, std::int64_t version) {
  const std::string number =
      role == TufRole::kTimestamp ? std::string() : std::to_string(version) + ".";
  return number + tuf_role_name(role) + ".json";
}

std::uint64_t tuf_max_bytes(TufRole role) {
  switch (role) {
    case TufRole::kRoot:
      return 512'000;
    case TufRole::kTimestamp:
      return 16'384;
    case TufRole::kSnapshot:
      return 2'000'000;
    case TufRole::kTargets:
      break;
  }
  return 5'000'000;
}

Result<TufEnvelope> parse_tuf_envelope(std::string_view text, TufRole role,
                                       std::string_view where) {
  if (text.size() > tuf_max_bytes(role)) {
    return make_error(ErrorKind::kLimit, "trust",
                      std::string(where) + ": found " + std::to_string(text.size()) +
                          " bytes, expected at most " + std::to_string(tuf_max_bytes(role)));
  }
  LLMPATCH_ASSIGN(const Json json, parse_untrusted_json(text, where));
  TufEnvelope envelope;
  envelope.role = role;
  LLMPATCH_ASSIGN(envelope.body, member(json, "signed", where));
  LLMPATCH_ASSIGN(const Json type, member(envelope.body, "_type", where));
  LLMPATCH_TRY(check_text(type, tuf_role_name(role), at(where, "_type")));
  LLMPATCH_ASSIGN(const std::string spec, text_member(envelope.body, "spec_version", where));
  if (!spec.starts_with("1.")) {
    return untrusted(at(where, "spec_version"), "found " + quote(spec) + ", expected 1.0");
  }
  LLMPATCH_ASSIGN(envelope.version, number_member(envelope.body, "version", 1, where));
  LLMPATCH_ASSIGN(envelope.expires, text_member(envelope.body, "expires", where));
  if (!is_utc_time(envelope.expires)) {
    return untrusted(at(where, "expires"),
                     "found " + quote(envelope.expires) + ", expected YYYY-MM-DDThh:mm:ssZ");
  }
  LLMPATCH_ASSIGN(envelope.message, canonical_json(envelope.body, where));
  LLMPATCH_ASSIGN(const Json signatures, list_member(json, "signatures", kMaxSignatures, where));
  for (const Json& entry : signatures) {
    TufSignature signature;
    LLMPATCH_ASSIGN(signature.keyid, text_member(entry, "keyid", at(where, "signatures")));
    LLMPATCH_ASSIGN(const std::string digits, text_member(entry, "sig", at(where, "signatures")));
    const auto bytes = digits.size() <= kMaxSignatureDigits ? hex_decode(digits) : std::nullopt;
    if (!bytes) {
      return untrusted(at(where, "signatures"),
                       "found " + quote(digits) + ", expected hexadecimal digits");
    }
    signature.bytes = *bytes;
    envelope.signatures.push_back(std::move(signature));
  }
  return envelope;
}

Result<TufRoot> parse_tuf_root(const TufEnvelope& envelope, std::string_view where) {
  TufRoot root;
  root.version = envelope.version;
  root.expires = envelope.expires;
  LLMPATCH_ASSIGN(const Json consistent, member(envelope.body, "consistent_snapshot", where));
  if (consistent != Json(true)) {
    return untrusted(at(where, "consistent_snapshot"), "expected true");
  }
  LLMPATCH_ASSIGN(const Json keys, object_member(envelope.body, "keys", kMaxKeys, where));
  for (const auto& [id, entry] : keys.items()) {
    LLMPATCH_ASSIGN(TufKey key, TufKey::parse(entry, at(where, "key " + quote(id))));
    if (key.id() != id) {
      return untrusted(at(where, "keys"), "found the id " + quote(id, 64) + " for key " + key.id());
    }
    root.keys.emplace(id, std::move(key));
  }
  LLMPATCH_ASSIGN(const Json roles, object_member(envelope.body, "roles", 64, where));
  for (const TufRole role : kTufRoles) {
    LLMPATCH_ASSIGN(root.roles[role], read_role(roles, role, root, at(where, "roles")));
  }
  return root;
}

Result<TufFileList> parse_tuf_timestamp(const TufEnvelope& envelope, std::string_view where) {
  return read_files(envelope, "snapshot.json", where);
}

Result<TufFileList> parse_tuf_snapshot(const TufEnvelope& envelope, std::string_view where) {
  return read_files(envelope, "targets.json", where);
}

Result<TufTargets> parse_tuf_targets(const TufEnvelope& envelope, std::string_view where) {
  TufTargets targets{envelope.version, envelope.expires, {}};
  LLMPATCH_ASSIGN(const Json entries, object_member(envelope.body, "targets", kMaxFiles, where));
  for (const auto& [path, entry] : entries.items()) {
    const std::string here = at(where, "target " + quote(path));
    TufTarget target;
    LLMPATCH_ASSIGN(const std::int64_t length, number_member(entry, "length", 0, here));
    target.length = static_cast<std::uint64_t>(length);
    LLMPATCH_ASSIGN(target.sha256, sha256_member(entry, here));
    target.custom = Json::object();
    if (entry.contains("custom")) {
      LLMPATCH_ASSIGN(target.custom, object_member(entry, "custom", 64, here));
    }
    targets.targets.emplace(path, std::move(target));
  }
  return targets;
}

std::size_t count_tuf_signers(const TufEnvelope& envelope, const TufRoot& root, TufRole role) {
  const TufRoleKeys& keys = root.roles.at(role);
  std::set<std::string> signers;  // by the key itself: the same one may go by several ids
  for (const TufSignature& signature : envelope.signatures) {
    const bool may_sign =
        std::find(keys.keyids.begin(), keys.keyids.end(), signature.keyid) != keys.keyids.end();
    if (!may_sign) continue;
    const TufKey& key = root.keys.at(signature.keyid);
    if (signers.contains(key.identity())) continue;
    if (key.verify(envelope.message, signature.bytes)) signers.insert(key.identity());
  }
  return signers.size();
}

Status verify_tuf(const TufEnvelope& envelope, const TufRoot& root, TufRole role,
                  std::string_view where) {
  const std::size_t signers = count_tuf_signers(envelope, root, role);
  const std::int64_t threshold = root.roles.at(role).threshold;
  if (signers >= static_cast<std::size_t>(threshold)) return {};
  return untrusted(where, "found valid signatures by " + std::to_string(signers) +
                              " keys of the role " + tuf_role_name(role) + ", expected " +
                              std::to_string(threshold));
}

}  // namespace llmpatch
