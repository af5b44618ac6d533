#include "trust/tuf_make.h"

#include <algorithm>
#include <map>

#include "base/hex.h"
#include "base/join.h"
#include "trust/canonical_json.h"

namespace llmpatch {
namespace {

constexpr const char* kSpecVersion = "1.0.31";

Json body_of(TufRole role, std::int64_t version, const std::string& expires) {
  return {{"_type", tuf_role_name(role)},
          {"spec_version", kSpecVersion},
          {"version", version},
          {"expires", expires}};
}

Json file_list_body(TufRole role, const TufFileList& list) {
  Json body = body_of(role, list.version, list.expires);
  body["meta"] = Json::object();
  for (const auto& [name, info] : list.files) {
    Json& entry = body["meta"][name];
    entry["version"] = info.version;
    if (info.length) entry["length"] = *info.length;
    if (info.sha256) entry["hashes"] = {{"sha256", *info.sha256}};
  }
  return body;
}

// Hints of the P-256 keys of a role, for a message; ids of others.
std::string keys_of(const TufRoot& root, TufRole role) {
  std::vector<std::string> names;
  for (const std::string& id : root.roles.at(role).keyids) {
    names.push_back(root.keys.at(id).identity());
  }
  return join(names, ", ");
}

bool speaks_for(const TufRoot& root, TufRole role, const std::string& keyid) {
  const auto& ids = root.roles.at(role).keyids;
  return std::find(ids.begin(), ids.end(), keyid) != ids.end();
}

}  // namespace

Json tuf_body(const TufRoot& root) {
  Json body = body_of(TufRole::kRoot, root.version, root.expires);
  body["consistent_snapshot"] = true;
  body["keys"] = Json::object();
  body["roles"] = Json::object();
  for (const auto& [id, key] : root.keys) body["keys"][id] = key.json();
  for (const auto& [role, keys] : root.roles) {
    body["roles"][tuf_role_name(role)] = {{"keyids", keys.keyids}, {"threshold", keys.threshold}};
  }
  return body;
}

Json tuf_timestamp_body(const TufFileList& timestamp) {
  return file_list_body(TufRole::kTimestamp, timestamp);
}

Json tuf_snapshot_body(const TufFileList& snapshot) {
  return file_list_body(TufRole::kSnapshot, snapshot);
}

Json tuf_body(const TufTargets& targets) {
  Json body = body_of(TufRole::kTargets, targets.version, targets.expires);
  body["targets"] = Json::object();
  for (const auto& [path, target] : targets.targets) {
    Json& entry = body["targets"][path];
    entry = {{"length", target.length}, {"hashes", {{"sha256", target.sha256}}}};
    if (!target.custom.empty()) entry["custom"] = target.custom;
  }
  return body;
}

bool may_sign_tuf(const PublicKey& key, TufRole role, const std::vector<const TufRoot*>& roots) {
  const Result<TufKey> open = TufKey::of(key);
  return open.ok() && std::any_of(roots.begin(), roots.end(), [&](const TufRoot* root) {
           return speaks_for(*root, role, open->id());
         });
}

Result<std::string> sign_tuf_in_part(const Json& body, TufRole role,
                                     const std::vector<TufSignature>& have,
                                     const std::vector<PrivateKey>& keys,
                                     const std::vector<const TufRoot*>& roots) {
  LLMPATCH_ASSIGN(const std::string message, canonical_json(body, tuf_role_name(role)));
  std::map<std::string, std::string> signatures;  // by key id
  for (const TufSignature& signature : have) {
    for (const TufRoot* root : roots) {
      if (!speaks_for(*root, role, signature.keyid)) continue;
      if (!root->keys.at(signature.keyid).verify(message, signature.bytes)) continue;
      signatures[signature.keyid] = hex_encode(signature.bytes);
    }
  }
  for (const PrivateKey& key : keys) {
    LLMPATCH_ASSIGN(const TufKey open, TufKey::of(key.public_key()));
    if (!may_sign_tuf(key.public_key(), role, roots)) continue;
    LLMPATCH_ASSIGN(const std::string signature, key.sign(message));
    signatures[open.id()] = hex_encode(signature);
  }
  Json file = {{"signatures", Json::array()}, {"signed", body}};
  for (const auto& [id, signature] : signatures) {
    file["signatures"].push_back({{"keyid", id}, {"sig", signature}});
  }
  return json_pretty(file);
}

Status check_tuf_signed(const std::string& text, TufRole role,
                        const std::vector<const TufRoot*>& roots) {
  const std::string where = tuf_role_name(role);
  LLMPATCH_ASSIGN(const TufEnvelope envelope, parse_tuf_envelope(text, role, where));
  for (const TufRoot* root : roots) {
    if (verify_tuf(envelope, *root, role, where).ok()) continue;
    return make_error(ErrorKind::kInvalidArgument, "channel",
                      "--key: found too few of the private keys that speak for the role " + where +
                          ", expected " + std::to_string(root->roles.at(role).threshold) + " of " +
                          keys_of(*root, role),
                      "llmpatch keygen said the names of the keys; sha256sum NAME.pub does, too");
  }
  return {};
}

Result<std::string> sign_tuf(const Json& body, TufRole role, const std::vector<PrivateKey>& keys,
                             const std::vector<const TufRoot*>& roots) {
  LLMPATCH_ASSIGN(std::string text, sign_tuf_in_part(body, role, {}, keys, roots));
  LLMPATCH_TRY(check_tuf_signed(text, role, roots));
  return text;
}

}  // namespace llmpatch
