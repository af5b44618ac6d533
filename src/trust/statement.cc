#include "trust/statement.h"

#include "base/quote.h"
#include "base/sha256.h"
#include "trust/strict_json.h"

namespace llmpatch {
namespace {

constexpr const char* kStatementType = "https://in-toto.io/Statement/v1";
constexpr const char* kPredicateType = "https://model_signing/signature/v1.0";
constexpr std::size_t kMaxFiles = 64;  // a patch has six

Result<std::string> digest_of(const Json& value, std::string_view where) {
  LLMPATCH_ASSIGN(std::string digest, text_of(value, where));
  if (!is_sha256_hex(digest)) {
    return untrusted(where, "found " + quote(digest) + ", expected 64 hexadecimal digits");
  }
  return digest;
}

std::string raw_bytes(std::string_view hex) {
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(value(hex[i]) << 4 | value(hex[i + 1]));
  }
  return bytes;
}

Status read_subject(const Json& json, Statement& statement, const std::string& where) {
  if (!json.is_array() || json.size() != 1) {
    return untrusted(where, "found " +
                                (json.is_array() ? std::to_string(json.size()) + " subjects"
                                                 : std::string(json.type_name())) +
                                ", expected a list of one");
  }
  const Json& subject = json[0];
  // Further members would be a descriptor's own; they bind nothing.
  for (const char* key : {"name", "digest"}) {
    if (!subject.is_object() || !subject.contains(key)) {
      return untrusted(where, std::string("found no member ") + key);
    }
  }
  LLMPATCH_TRY(check_members(subject["digest"], {"sha256"}, {}, where + ".digest"));
  LLMPATCH_ASSIGN(statement.subject, text_of(subject["name"], where + ".name"));
  LLMPATCH_ASSIGN(statement.root_digest, digest_of(subject["digest"]["sha256"], where + ".digest"));
  return {};
}

Status read_resources(const Json& json, Statement& statement, const std::string& where) {
  if (!json.is_array() || json.empty() || json.size() > kMaxFiles) {
    return untrusted(where, "found " +
                                (json.is_array() ? std::to_string(json.size()) + " files"
                                                 : std::string(json.type_name())) +
                                ", expected a list of 1 to " + std::to_string(kMaxFiles));
  }
  std::string last;
  for (const Json& resource : json) {
    for (const char* key : {"name", "algorithm", "digest"}) {
      if (!resource.is_object() || !resource.contains(key)) {
        return untrusted(where, std::string("found an entry without ") + key);
      }
    }
    LLMPATCH_TRY(check_text(resource["algorithm"], "sha256", where + ".algorithm"));
    LLMPATCH_ASSIGN(std::string name, text_of(resource["name"], where + ".name"));
    LLMPATCH_ASSIGN(std::string digest, digest_of(resource["digest"], where + ".digest"));
    if (name <= last) {
      return untrusted(where, "found " + quote(name) + " behind " + quote(last) +
                                  ", expected each name once, sorted");
    }
    last = name;
    statement.files.emplace(std::move(name), std::move(digest));
  }
  return {};
}

Status check_serialization(const Json& json, const std::string& where) {
  LLMPATCH_TRY(
      check_members(json, {"method", "hash_type"}, {"allow_symlinks", "ignore_paths"}, where));
  LLMPATCH_TRY(check_text(json["method"], "files", where + ".method"));
  LLMPATCH_TRY(check_text(json["hash_type"], "sha256", where + ".hash_type"));
  if (json.contains("allow_symlinks") && json["allow_symlinks"] != Json(false)) {
    return untrusted(where, "found symbolic links allowed, expected none");
  }
  // Read for its form alone: no path is ever ignored here.
  if (json.contains("ignore_paths")) {
    if (!json["ignore_paths"].is_array()) return untrusted(where, "ignore_paths: found no list");
    for (const Json& path : json["ignore_paths"]) {
      LLMPATCH_TRY(text_of(path, where + ".ignore_paths"));
    }
  }
  return {};
}

}  // namespace

std::map<std::string, std::string> file_digests(const PatchFiles& files) {
  std::map<std::string, std::string> digests;
  for (const auto& [name, bytes] : files) {
    if (name != kSignatureFile) digests[name] = sha256_hex(bytes);
  }
  return digests;
}

std::string root_digest(const std::map<std::string, std::string>& digests) {
  Sha256 hash;
  for (const auto& [name, digest] : digests) hash.update(raw_bytes(digest));
  return hash.finish();
}

std::string statement_to_json(const std::string& subject,
                              const std::map<std::string, std::string>& digests) {
  OrderedJson resources = OrderedJson::array();
  for (const auto& [name, digest] : digests) {
    resources.push_back({{"name", name}, {"algorithm", "sha256"}, {"digest", digest}});
  }
  OrderedJson json;
  json["_type"] = kStatementType;
  json["subject"] = OrderedJson::array(
      {OrderedJson{{"name", subject}, {"digest", {{"sha256", root_digest(digests)}}}}});
  json["predicateType"] = kPredicateType;
  json["predicate"]["resources"] = std::move(resources);
  json["predicate"]["serialization"] = {{"method", "files"},
                                        {"hash_type", "sha256"},
                                        {"allow_symlinks", false},
                                        {"ignore_paths", {kSignatureFile}}};
  return json_line(json);
}

Result<Statement> parse_statement(std::string_view text, std::string_view where) {
  LLMPATCH_ASSIGN(const Json json, parse_untrusted_json(text, where));
  const auto inside = [&](const char* member) { return std::string(where) + ": " + member; };
  LLMPATCH_TRY(check_members(json, {"_type", "subject", "predicateType", "predicate"}, {}, where));
  LLMPATCH_TRY(check_text(json["_type"], kStatementType, inside("_type")));
  LLMPATCH_TRY(check_text(json["predicateType"], kPredicateType, inside("predicateType")));
  Statement statement;
  LLMPATCH_TRY(read_subject(json["subject"], statement, inside("subject")));
  const Json& predicate = json["predicate"];
  LLMPATCH_TRY(check_members(predicate, {"resources", "serialization"}, {}, inside("predicate")));
  LLMPATCH_TRY(check_serialization(predicate["serialization"], inside("serialization")));
  LLMPATCH_TRY(read_resources(predicate["resources"], statement, inside("resources")));
  const std::string expected = root_digest(statement.files);
  if (statement.root_digest != expected) {
    return untrusted(where, "root digest: found " + statement.root_digest + ", expected " +
                                expected + " of the files listed");
  }
  return statement;
}

}  // namespace llmpatch
