#include "distribution/channel_target.h"

#include <algorithm>

#include "base/quote.h"
#include "base/sha256.h"
#include "patch/names.h"
#include "patch/semver.h"
#include "trust/statement.h"
#include "trust/strict_json.h"

namespace llmpatch {
namespace {

constexpr std::string_view kEnding = ".llmpatch";

Status check_word(bool valid, const Json& value, const char* member, const std::string& where) {
  if (valid) return {};
  return untrusted(where, std::string("custom: ") + member + ": found " + quote(value.dump()));
}

Result<ChannelTarget> read_target(const std::string& path, const TufTarget& entry) {
  const std::string where = "targets: " + quote(path);
  const Json& custom = entry.custom;
  LLMPATCH_TRY(check_members(custom, {"name", "version", "digest", "sequence", "base", "revoked"},
                             {"expires"}, where + ": custom"));
  const auto text = [&](const char* member) -> std::string {
    return custom[member].is_string() ? custom[member].get<std::string>() : std::string();
  };
  ChannelTarget target;
  target.name = text("name");
  target.version = text("version");
  target.digest = text("digest");
  target.base = text("base");
  target.length = entry.length;
  target.sha256 = entry.sha256;
  LLMPATCH_TRY(check_word(is_patch_name(target.name), custom["name"], "name", where));
  LLMPATCH_TRY(check_word(is_semver(target.version), custom["version"], "version", where));
  LLMPATCH_TRY(check_word(is_sha256_hex(target.digest), custom["digest"], "digest", where));
  LLMPATCH_TRY(check_word(is_sha256_hex(target.base), custom["base"], "base", where));
  LLMPATCH_TRY(check_word(custom["revoked"].is_boolean(), custom["revoked"], "revoked", where));
  target.revoked = custom["revoked"].get<bool>();
  const Json& sequence = custom["sequence"];
  const bool counts = sequence.is_number_integer() && (!sequence.is_number_unsigned() ||
                                                       sequence.get<std::uint64_t>() <= INT64_MAX);
  LLMPATCH_TRY(
      check_word(counts && sequence.get<std::int64_t>() >= 1, sequence, "sequence", where));
  target.sequence = sequence.get<std::int64_t>();
  if (custom.contains("expires")) {
    target.expires = text("expires");
    LLMPATCH_TRY(check_word(is_utc_time(*target.expires), custom["expires"], "expires", where));
  }
  if (path != channel_path(target.name, target.version)) {
    return untrusted(where, "found " + target.title() + ", expected the path " +
                                channel_path(target.name, target.version));
  }
  if (target.length > kMaxChannelArchive) {
    return make_error(ErrorKind::kLimit, "channel",
                      where + ": found " + std::to_string(target.length) +
                          " bytes, expected at most " + std::to_string(kMaxChannelArchive));
  }
  return target;
}

// What of a target that read_target refuses still says which contents are revoked.
std::optional<ChannelTarget> read_revocation(const TufTarget& entry) {
  const Json& custom = entry.custom;
  const auto text = [&](const char* member) -> std::string {
    const bool has_it = custom.is_object() && custom.contains(member);
    return has_it && custom[member].is_string() ? custom[member].get<std::string>() : "";
  };
  ChannelTarget target;
  target.name = text("name");
  target.version = text("version");
  target.digest = text("digest");
  target.revoked = custom.is_object() && custom.value("revoked", Json()) == true;
  const bool is_known = target.revoked && is_patch_name(target.name) && is_semver(target.version) &&
                        is_sha256_hex(target.digest);
  return is_known ? std::optional(std::move(target)) : std::nullopt;
}

bool is_newer(const ChannelTarget& a, const ChannelTarget& b) {
  if (a.name != b.name) return a.name < b.name;
  if (a.sequence != b.sequence) return a.sequence > b.sequence;
  return compare_semver(a.version, b.version) > 0;
}

}  // namespace

std::string channel_path(const std::string& name, const std::string& version) {
  return name + "-" + version + std::string(kEnding);
}

std::string channel_file(const ChannelTarget& target) {
  return "targets/" + target.sha256 + "." + channel_path(target.name, target.version);
}

TufTarget to_tuf_target(const ChannelTarget& target) {
  Json custom = {{"name", target.name},     {"version", target.version},
                 {"digest", target.digest}, {"sequence", target.sequence},
                 {"base", target.base},     {"revoked", target.revoked}};
  if (target.expires) custom["expires"] = *target.expires;
  return {target.length, target.sha256, std::move(custom)};
}

ChannelOffers read_channel_offers(const TufTargets& targets) {
  ChannelOffers found;
  for (const auto& [path, entry] : targets.targets) {
    if (!path.ends_with(kEnding)) continue;
    Result<ChannelTarget> target = read_target(path, entry);
    if (target.ok()) {
      found.targets.push_back(std::move(target).value());
      continue;
    }
    found.errors.push_back(std::move(target).error());
    if (auto revoked = read_revocation(entry)) found.only_revoked.push_back(std::move(*revoked));
  }
  std::sort(found.targets.begin(), found.targets.end(), is_newer);
  return found;
}

Result<std::vector<ChannelTarget>> read_channel_targets(const TufTargets& targets) {
  ChannelOffers found = read_channel_offers(targets);
  if (!found.errors.empty()) return std::move(found.errors.front());
  return std::move(found.targets);
}

ChannelTarget channel_target_of(const Manifest& manifest, const PatchFiles& files,
                                std::string_view archive) {
  ChannelTarget target;
  target.name = manifest.name;
  target.version = manifest.version;
  target.digest = root_digest(file_digests(files));
  target.sequence = manifest.sequence;
  target.expires = manifest.expires;
  target.base = manifest.base.file;
  target.length = archive.size();
  target.sha256 = sha256_hex(archive);
  return target;
}

Status check_channel_target(const ChannelTarget& target, const Manifest& manifest,
                            const PatchFiles& files) {
  const ChannelTarget found = channel_target_of(manifest, files, "");
  const auto check = [&](const char* what, const std::string& is,
                         const std::string& said) -> Status {
    if (is == said) return {};
    return untrusted("channel", target.title() + ": found " + what + " " + is +
                                    " in the patch, and the channel says " + said);
  };
  LLMPATCH_TRY(check("name", found.name, target.name));
  LLMPATCH_TRY(check("version", found.version, target.version));
  LLMPATCH_TRY(check("digest", found.digest, target.digest));
  LLMPATCH_TRY(check("sequence", std::to_string(found.sequence), std::to_string(target.sequence)));
  LLMPATCH_TRY(check("expiry", found.expires.value_or("never"), target.expires.value_or("never")));
  return check("base model", found.base, target.base);
}

}  // namespace llmpatch
