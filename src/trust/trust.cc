#include "trust/trust.h"

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "base/quote.h"
#include "base/sha256.h"
#include "patch/names.h"
#include "trust/strict_json.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxPolicy = 1024 * 1024;
constexpr std::size_t kMaxEntries = 256;  // of each list
constexpr std::int64_t kSchema = 1;

// What a policy file has wrong: nothing can be checked by it.
Error broken(const std::string& where, const std::string& message) {
  return make_error(ErrorKind::kUnverifiable, "trust policy", where + ": " + message);
}

bool is_pattern(std::string text) {
  std::replace(text.begin(), text.end(), '*', 'x');
  return is_patch_name(text);
}

bool contains(const std::vector<std::string>& list, const std::string& entry) {
  return std::find(list.begin(), list.end(), entry) != list.end();
}

// The strings of a member that may be missing.
Result<std::vector<std::string>> strings(const Json& rule, const char* key,
                                         const std::string& where) {
  if (!rule.contains(key)) return std::vector<std::string>{};
  const Json& list = rule[key];
  if (!list.is_array() || list.size() > kMaxEntries) {
    return broken(where, std::string(key) + ": expected a list of at most " +
                             std::to_string(kMaxEntries) + " strings");
  }
  std::vector<std::string> result;
  for (const Json& entry : list) {
    if (!entry.is_string()) return broken(where, std::string(key) + ": expected strings");
    result.push_back(entry.get<std::string>());
  }
  return result;
}

Result<TrustRule> read_rule(const Json& json, const fs::path& folder, Trust& trust,
                            const std::string& where) {
  if (const Status form = check_members(json, {"patches"}, {"keys", "certificates"}, where);
      !form.ok()) {
    return make_error(ErrorKind::kUnverifiable, "trust policy", form.error().message);
  }
  TrustRule rule;
  LLMPATCH_ASSIGN(rule.patches, strings(json, "patches", where));
  for (const std::string& pattern : rule.patches) {
    if (!is_pattern(pattern)) {
      return broken(where, "patches: found " + quote(pattern) + ", expected patch names or *");
    }
  }
  LLMPATCH_ASSIGN(const std::vector<std::string> keys, strings(json, "keys", where));
  for (const std::string& entry : keys) {
    if (is_sha256_hex(entry)) {
      rule.signers.push_back(entry);
      continue;
    }
    LLMPATCH_ASSIGN(PublicKey key, PublicKey::read(folder / entry));
    rule.signers.push_back(key.hint());
    trust.keys.push_back(std::move(key));
  }
  LLMPATCH_ASSIGN(const std::vector<std::string> files, strings(json, "certificates", where));
  for (const std::string& entry : files) {
    LLMPATCH_ASSIGN(const std::vector<Certificate> roots,
                    read_certificates(folder / entry, ErrorKind::kUnverifiable));
    for (const Certificate& root : roots) {
      rule.signers.push_back(root.fingerprint());
      trust.roots.push_back(root);
    }
  }
  if (rule.patches.empty() || rule.signers.empty()) {
    return broken(where, "expected patches, and keys or certificates that may sign them");
  }
  return rule;
}

}  // namespace

std::string Signer::to_string() const {
  return (subject.empty() ? "" : subject + ", ") + "key " + key;
}

bool matches_pattern(std::string_view pattern, std::string_view name) {
  // Greedy with one place to come back to: the last * and what it has eaten so far.
  std::size_t p = 0, n = 0, star = std::string_view::npos, eaten = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      eaten = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++eaten;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Status check_rules(const Trust& trust, const Signer& signer, const std::string& name) {
  if (!trust.rules) return {};
  const std::string& identity = signer.root.empty() ? signer.key : signer.root;
  for (const TrustRule& rule : *trust.rules) {
    const bool names_patch =
        std::any_of(rule.patches.begin(), rule.patches.end(),
                    [&](const std::string& pattern) { return matches_pattern(pattern, name); });
    if (names_patch && contains(rule.signers, identity)) return {};
  }
  return make_error(ErrorKind::kUntrusted, "trust policy",
                    "patch " + name + ": found a signature by " + signer.to_string() +
                        ", which no rule lets sign it");
}

Result<Trust> read_trust(const TrustFiles& files) {
  Trust trust;
  if (!files.policy.empty()) {
    if (!files.certificates.empty()) {
      return make_error(ErrorKind::kInvalidArgument, "trust",
                        "root certificates: found some beside the policy " + files.policy.string() +
                            ", whose rules would not let them sign anything",
                        "name the file in a rule of the policy");
    }
    LLMPATCH_ASSIGN(trust, read_trust_policy(files.policy));
  }
  for (const fs::path& path : files.keys) {
    LLMPATCH_ASSIGN(PublicKey key, PublicKey::read(path));
    trust.keys.push_back(std::move(key));
  }
  for (const fs::path& path : files.certificates) {
    LLMPATCH_ASSIGN(const std::vector<Certificate> roots,
                    read_certificates(path, ErrorKind::kUnverifiable));
    trust.roots.insert(trust.roots.end(), roots.begin(), roots.end());
  }
  return trust;
}

Result<Trust> read_trust_policy(const fs::path& path) {
  const std::string where = path.string();
  auto text = read_file(path, kMaxPolicy, "trust policy");
  if (!text.ok()) return broken(where, text.error().message);
  return parse_trust_policy(*text, path.parent_path(), where);
}

Result<Trust> parse_trust_policy(std::string_view text, const fs::path& folder,
                                 const std::string& where) {
  auto json = parse_json(text, where);
  if (!json.ok()) {
    return make_error(ErrorKind::kUnverifiable, "trust policy", json.error().message);
  }
  if (const Status form = check_members(*json, {"schema", "rules"}, {}, where); !form.ok()) {
    return make_error(ErrorKind::kUnverifiable, "trust policy", form.error().message);
  }
  if ((*json)["schema"] != Json(kSchema)) {
    return broken(where, "schema: expected " + std::to_string(kSchema));
  }
  const Json& rules = (*json)["rules"];
  if (!rules.is_array() || rules.empty() || rules.size() > kMaxEntries) {
    return broken(where, "rules: expected a list of 1 to " + std::to_string(kMaxEntries));
  }
  Trust trust;
  trust.rules.emplace();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    LLMPATCH_ASSIGN(TrustRule rule, read_rule(rules[i], folder, trust,
                                              where + ": rules[" + std::to_string(i) + "]"));
    trust.rules->push_back(std::move(rule));
  }
  return trust;
}

}  // namespace llmpatch
