#include "serve/keys.h"

#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/ascii.h"
#include "base/file.h"
#include "base/json.h"
#include "base/quote.h"
#include "base/sha256.h"
#include "serve/request_fields.h"
#include "trust/trust.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileBytes = 4 << 20;
constexpr std::size_t kMaxKeys = 10'000;
constexpr std::size_t kMinAdminBytes = 16;
constexpr std::size_t kMaxAdminBytes = 4096;

Error corrupt(const fs::path& path, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "keys", path.string() + ": " + message,
                    "docs/api.md shows what it looks like");
}

// Both are digests, so of one length.
bool equal(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool is_key_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '@';
  });
}

Result<ApiKey> read_key(const Json& json, const std::string& where) {
  RequestFields fields(json, where);
  ApiKey key;
  fields.require("name");
  fields.text("name", 64, key.name);
  if (fields.ok() && !is_key_name(key.name)) {
    fields.fail("name", "found " + quote(key.name) + ", expected letters, digits, and -_.@");
  }
  if (fields.ok() && key.name == kAdminName) {
    fields.fail("name", "found 'admin', which is the admin key's");
  }
  fields.require("sha256");
  fields.text("sha256", 64, key.sha256);
  if (fields.ok() && !is_sha256_hex(key.sha256)) {
    fields.fail("sha256", "found something else, expected 64 lower-case hexadecimal digits");
  }
  if (fields.take("patches") != nullptr) {
    key.patches.emplace();
    fields.texts("patches", 1024, *key.patches);
  }
  if (fields.take("unpatched") != nullptr) {
    bool unpatched = false;
    fields.boolean("unpatched", unpatched);
    key.unpatched = unpatched;
  }
  LLMPATCH_TRY(fields.finish());
  return key;
}

Result<std::vector<ApiKey>> read_api_keys(const fs::path& path) {
  LLMPATCH_ASSIGN(const std::string text, read_file(path, kMaxFileBytes, "API keys"));
  LLMPATCH_ASSIGN(const Json json, parse_json(text, path.string()));
  RequestFields fields(json, "");
  const Json* list = fields.require("keys");
  if (const Status status = fields.finish(); !status.ok()) {
    return corrupt(path, status.error().where + ": " + status.error().message);
  }
  if (!list->is_array() || list->empty() || list->size() > kMaxKeys) {
    return corrupt(path, "keys: found " + shown(*list) + ", expected a list of 1 to " +
                             std::to_string(kMaxKeys) + " keys");
  }
  std::vector<ApiKey> keys;
  std::set<std::string> names, digests;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Result<ApiKey> key = read_key((*list)[i], "keys[" + std::to_string(i) + "]");
    if (!key.ok()) return corrupt(path, key.error().where + ": " + key.error().message);
    if (!names.insert(key->name).second || !digests.insert(key->sha256).second) {
      return corrupt(path, "keys: found the key " + key->name + " twice");
    }
    keys.push_back(std::move(*key));
  }
  return keys;
}

// Whether it is its owner's alone. systemd hands credentials over as root's, with an access list
// for the service, which shows as the group's right to read.
bool is_secret(const struct stat& info) {
  constexpr mode_t kOthers = S_IRWXG | S_IRWXO;
  if ((info.st_mode & kOthers) == 0) return true;
  return (info.st_mode & kOthers) == S_IRGRP && (info.st_uid == 0 || info.st_uid == ::geteuid());
}

Result<std::string> read_admin_key(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !is_secret(info)) {
    return make_error(ErrorKind::kDenied, "keys",
                      path.string() + ": found that others may read it, expected its owner alone",
                      "chmod 600 " + path.string());
  }
  LLMPATCH_ASSIGN(std::string key, read_file(path, kMaxAdminBytes, "admin key"));
  if (key.ends_with('\n')) key.pop_back();
  const bool is_line =
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 127; });
  if (key.size() < kMinAdminBytes || !is_line) {
    return corrupt(path, "found something else, expected one line of at least " +
                             std::to_string(kMinAdminBytes) + " printable characters");
  }
  return sha256_hex(key);
}

}  // namespace

bool ApiKey::may_run(std::string_view patch) const {
  return !patches || std::any_of(patches->begin(), patches->end(), [&](const std::string& pattern) {
    return matches_pattern(pattern, patch);
  });
}

Result<Keys> Keys::read(const fs::path& api_keys, const fs::path& admin_key) {
  Keys keys;
  if (!api_keys.empty()) {
    LLMPATCH_ASSIGN(keys.keys_, read_api_keys(api_keys));
  }
  if (!admin_key.empty()) {
    LLMPATCH_ASSIGN(keys.admin_, read_admin_key(admin_key));
  }
  return keys;
}

const ApiKey* Keys::find(std::string_view bearer) const {
  const std::string digest = sha256_hex(bearer);
  const ApiKey* found = nullptr;
  for (const ApiKey& key : keys_) {
    if (equal(key.sha256, digest)) found = &key;
  }
  return found;
}

bool Keys::is_admin(std::string_view bearer) const {
  return has_admin_key() && equal(admin_, sha256_hex(bearer));
}

std::string_view bearer_of(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size() ||
      ascii_lower(authorization.substr(0, kScheme.size())) != kScheme) {
    return {};
  }
  authorization.remove_prefix(kScheme.size());
  const std::size_t begin = authorization.find_first_not_of(' ');
  return begin == std::string_view::npos ? std::string_view() : authorization.substr(begin);
}

}  // namespace llmpatch
