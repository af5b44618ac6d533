#include "patch/manifest.h"

#include <algorithm>
#include <set>

#include "base/quote.h"
#include "base/sha256.h"
#include "patch/files.h"
#include "patch/names.h"
#include "patch/semver.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxSummary = 512;
constexpr std::size_t kMaxLicense = 64;
constexpr std::size_t kMaxList = 256;  // entries of requires, conflicts, tested

Error bad_field(const std::string& field, const std::string& found, const std::string& expected) {
  return make_error(ErrorKind::kInvalidArgument, "manifest",
                    field + ": found " + found + ", expected " + expected);
}

// One line of UTF-8 without control characters (C0, DEL, C1), so that it can be shown as it is.
bool is_line(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_c1 =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (byte < 0x20 || byte == 0x7f || is_c1) return false;
  }
  try {
    static_cast<void>(Json(text).dump());  // throws on invalid UTF-8
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

bool is_license(std::string_view text) {
  return !text.empty() && text.size() <= kMaxLicense &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view(" .+-()").find(c) != std::string_view::npos;
         });
}

// Every entry of `list` is of the form that `valid` tests, none stands there twice.
Status check_list(const char* field, const std::vector<std::string>& list,
                  bool (*valid)(std::string_view), const char* expected) {
  if (list.size() > kMaxList) {
    return bad_field(field, std::to_string(list.size()) + " entries",
                     "at most " + std::to_string(kMaxList));
  }
  std::set<std::string_view> seen;
  for (const std::string& entry : list) {
    if (!valid(entry)) return bad_field(field, quote(entry), expected);
    if (!seen.insert(entry).second) return bad_field(field, quote(entry) + " twice", "it once");
  }
  return {};
}

Status check_files(const std::map<std::string, std::string>& files) {
  for (const auto& [name, digest] : files) {
    const bool is_ours = check_patch_file(name, 0, "manifest").ok();
    if (!is_ours || name == kManifestFile || name == kSignatureFile) {
      return bad_field("files", quote(name), "names of the files of a patch");
    }
    if (!is_sha256_hex(digest)) {
      return bad_field("files." + name, quote(digest), "64 hexadecimal digits");
    }
  }
  return {};
}

// Refuses members that schema 1 does not have: a reader that skips a field could skip a condition.
Status check_members(const Json& object, const std::set<std::string>& known, const char* what,
                     std::string_view where) {
  if (!object.is_object()) {
    return make_error(
        ErrorKind::kCorrupt, "manifest",
        std::string(where) + ": found " + object.type_name() + ", expected an object");
  }
  for (const auto& [key, value] : object.items()) {
    if (!known.contains(key)) {
      return make_error(ErrorKind::kCorrupt, "manifest",
                        std::string(where) + ": found unknown member " + quote(key) + what);
    }
  }
  return {};
}

Result<std::vector<std::string>> string_list(const Json& object, const char* key,
                                             std::string_view where) {
  LLMPATCH_ASSIGN(const Json array, json_array(object, key, where));
  std::vector<std::string> list;
  for (const Json& entry : array) {
    if (!entry.is_string()) {
      return make_error(
          ErrorKind::kCorrupt, "manifest",
          std::string(where) + ": " + key + ": found " + entry.type_name() + ", expected strings");
    }
    list.push_back(entry.get<std::string>());
  }
  return list;
}

// `compose.tested`: strings, and objects with figures.
Status read_tested(const Json& compose, std::string_view where, ComposeRules& rules) {
  LLMPATCH_ASSIGN(const Json array, json_array(compose, "tested", where));
  for (const Json& entry : array) {
    if (entry.is_string()) {
      rules.tested.push_back(entry.get<std::string>());
    } else if (entry.is_object()) {
      LLMPATCH_ASSIGN(TestedStack stack, tested_stack_from_json(entry, where));
      rules.tested_stacks.push_back(std::move(stack));
    } else {
      return make_error(ErrorKind::kCorrupt, "manifest",
                        std::string(where) + ": tested: found " + entry.type_name() +
                            ", expected name@version or an object");
    }
  }
  return {};
}

Status check_tested_stacks(const ComposeRules& rules) {
  const std::vector<TestedStack>& stacks = rules.tested_stacks;
  if (rules.tested.size() + stacks.size() > kMaxList) {
    return bad_field("compose.tested",
                     std::to_string(rules.tested.size() + stacks.size()) + " entries",
                     "at most " + std::to_string(kMaxList));
  }
  for (auto stack = stacks.begin(); stack != stacks.end(); ++stack) {
    LLMPATCH_TRY(check_tested_stack(*stack));
    const bool twice = std::any_of(stacks.begin(), stack, [&](const TestedStack& other) {
      return other.same_measurement(*stack);
    });
    if (twice) return bad_field("compose.tested", "a stack measured twice", "it once");
  }
  return {};
}

OrderedJson tested_json(const ComposeRules& rules) {
  OrderedJson list = rules.tested;
  for (const TestedStack& stack : rules.tested_stacks) list.push_back(tested_stack_to_json(stack));
  return list;
}

Result<std::map<std::string, std::string>> file_digests(const Json& manifest,
                                                        std::string_view where) {
  LLMPATCH_ASSIGN(const Json object, json_object(manifest, "files", where));
  std::map<std::string, std::string> files;
  for (const auto& [name, digest] : object.items()) {
    if (!digest.is_string()) {
      return make_error(ErrorKind::kCorrupt, "manifest",
                        std::string(where) + ": files: found " + digest.type_name() +
                            ", expected sha256 digests");
    }
    files.emplace(name, digest.get<std::string>());
  }
  return files;
}

Status check_schema(const Json& json, std::string_view where) {
  LLMPATCH_ASSIGN(const std::int64_t schema, json_integer(json, "schema", where));
  if (schema == kManifestSchema) return {};
  return make_error(ErrorKind::kUnsupported, "manifest",
                    std::string(where) + ": schema: found " + std::to_string(schema) +
                        ", expected " + std::to_string(kManifestSchema),
                    "this patch was written for another version of llmpatch");
}

Result<Manifest> read_fields(const Json& json, std::string_view where) {
  LLMPATCH_TRY(check_members(json,
                             {"schema", "name", "version", "sequence", "expires", "risk", "summary",
                              "license", "base", "learned", "requires", "compose", "files"},
                             "", where));
  Manifest manifest;
  LLMPATCH_ASSIGN(manifest.name, json_string(json, "name", where));
  LLMPATCH_ASSIGN(manifest.version, json_string(json, "version", where));
  LLMPATCH_ASSIGN(manifest.sequence, json_integer(json, "sequence", where));
  if (json.contains("expires")) {
    LLMPATCH_ASSIGN(manifest.expires, json_string(json, "expires", where));
  }
  LLMPATCH_ASSIGN(manifest.risk, json_string(json, "risk", where));
  LLMPATCH_ASSIGN(manifest.summary, json_string(json, "summary", where));
  LLMPATCH_ASSIGN(manifest.license, json_string(json, "license", where));
  LLMPATCH_ASSIGN(const Json base, json_object(json, "base", where));
  LLMPATCH_ASSIGN(manifest.base, base_identity_from_json(base, where));
  LLMPATCH_ASSIGN(manifest.learned, json_object(json, "learned", where));
  LLMPATCH_ASSIGN(manifest.required, string_list(json, "requires", where));
  LLMPATCH_ASSIGN(const Json compose, json_object(json, "compose", where));
  LLMPATCH_TRY(check_members(compose, {"conflicts", "tested"}, " of compose", where));
  LLMPATCH_ASSIGN(manifest.compose.conflicts, string_list(compose, "conflicts", where));
  LLMPATCH_TRY(read_tested(compose, where, manifest.compose));
  LLMPATCH_ASSIGN(manifest.files, file_digests(json, where));
  return manifest;
}

}  // namespace

Status check_manifest(const Manifest& manifest) {
  if (!is_patch_name(manifest.name)) {
    return bad_field("name", quote(manifest.name), "[a-z0-9][a-z0-9._-]*, at most 64 characters");
  }
  if (!is_semver(manifest.version)) {
    return bad_field("version", quote(manifest.version), "a version such as 1.0.0 (SemVer)");
  }
  if (manifest.sequence < 1) {
    return bad_field("sequence", std::to_string(manifest.sequence), "1 or more");
  }
  if (manifest.expires && !is_utc_time(*manifest.expires)) {
    return bad_field("expires", quote(*manifest.expires), "a time such as 2030-01-31T00:00:00Z");
  }
  if (!is_patch_name(manifest.risk)) {
    return bad_field("risk", quote(manifest.risk), "[a-z0-9][a-z0-9._-]*, at most 64 characters");
  }
  if (manifest.summary.size() > kMaxSummary || !is_line(manifest.summary)) {
    return bad_field("summary", quote(manifest.summary), "one line of at most 512 bytes");
  }
  if (!is_license(manifest.license)) {
    return bad_field("license", quote(manifest.license), "an SPDX expression such as Apache-2.0");
  }
  LLMPATCH_TRY(
      check_list("requires", manifest.required, is_requirement, "name, name@1.2.3 or name@^1.2.3"));
  LLMPATCH_TRY(
      check_list("compose.conflicts", manifest.compose.conflicts, is_patch_name, "patch names"));
  LLMPATCH_TRY(
      check_list("compose.tested", manifest.compose.tested, is_patch_reference, "name@version"));
  return check_tested_stacks(manifest.compose);
}

std::string manifest_to_json(const Manifest& manifest) {
  OrderedJson json;
  json["schema"] = kManifestSchema;
  json["name"] = manifest.name;
  json["version"] = manifest.version;
  json["sequence"] = manifest.sequence;
  if (manifest.expires) json["expires"] = *manifest.expires;
  json["risk"] = manifest.risk;
  json["summary"] = manifest.summary;
  json["license"] = manifest.license;
  json["base"] = base_identity_to_json(manifest.base);
  json["learned"] = manifest.learned;
  json["requires"] = manifest.required;
  json["compose"] = {{"conflicts", manifest.compose.conflicts},
                     {"tested", tested_json(manifest.compose)}};
  json["files"] = manifest.files;
  return json_pretty(json);
}

Result<Manifest> parse_manifest(std::string_view text, std::string_view where) {
  LLMPATCH_ASSIGN(const Json json, parse_json(text, where));
  LLMPATCH_TRY(check_schema(json, where));
  LLMPATCH_ASSIGN(Manifest manifest, read_fields(json, where));
  Status status = check_manifest(manifest);
  if (status.ok()) status = check_files(manifest.files);
  if (!status.ok()) {
    return make_error(ErrorKind::kCorrupt, "manifest",
                      std::string(where) + ": " + status.error().message);
  }
  return manifest;
}

}  // namespace llmpatch
