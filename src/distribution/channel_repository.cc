#include "distribution/channel_repository.h"

#include "base/file.h"
#include "base/sha256.h"
#include "distribution/channel_maker.h"
#include "distribution/oci_manifest.h"
#include "trust/tuf_metadata.h"

namespace llmpatch {
namespace {

constexpr std::string_view kTargets = "targets/";

Error channel_error(ErrorKind kind, const std::string& message, const std::string& hint) {
  return make_error(kind, "channel", message, hint);
}

bool is_patch(const std::string& file) { return file.starts_with(kTargets); }

Result<std::string> read_channel_file(const std::filesystem::path& folder,
                                      const std::string& file) {
  const std::uint64_t most = is_patch(file) ? kMaxChannelArchive : tuf_max_bytes(TufRole::kTargets);
  LLMPATCH_ASSIGN(std::string bytes, read_file(folder / file, most, "channel"));
  if (is_patch(file) && sha256_hex(bytes) != channel_tag(file)) {
    return channel_error(
        ErrorKind::kCorrupt,
        file + ": found sha256 " + sha256_hex(bytes) + ", expected that in its name",
        "llmpatch channel add writes it anew");
  }
  return bytes;
}

// 0 for what is no timestamp, and so nothing that anybody follows.
std::int64_t timestamp_version(const std::string& text) {
  const auto envelope = parse_tuf_envelope(text, TufRole::kTimestamp, kChannelTimestamp);
  return envelope.ok() ? envelope->version : 0;
}

Status check_not_newer(Registry& registry, const std::string& ours) {
  LLMPATCH_ASSIGN(const auto there, find_channel_file(registry, kChannelTimestamp,
                                                      tuf_max_bytes(TufRole::kTimestamp)));
  const std::int64_t found = there ? timestamp_version(*there) : 0;
  if (found <= timestamp_version(ours)) return {};
  return channel_error(ErrorKind::kDenied,
                       "timestamp.json: found version " + std::to_string(found) +
                           " in the registry, expected at most version " +
                           std::to_string(timestamp_version(ours)),
                       "operators refuse an older one: push the folder that was published last");
}

// True when it was not there yet.
Result<bool> push_file(Registry& registry, const std::string& file, const std::string& bytes) {
  const std::string tag = channel_tag(file);
  const std::string manifest = make_file_manifest(
      file.substr(is_patch(file) ? kTargets.size() + 65 : 0), bytes, kChannelArtifactType,
      is_patch(file) ? "application/x-tar" : "application/json");
  LLMPATCH_ASSIGN(const auto there, registry.find_manifest(tag));
  if (there && there->bytes == manifest) return false;
  if (there && file != kChannelTimestamp) {
    return channel_error(ErrorKind::kExists,
                         "tag " + tag + ": found something else there than " + file,
                         "a channel has a repository of its own");
  }
  LLMPATCH_TRY(registry.put_blob(oci_digest(bytes), bytes));
  LLMPATCH_TRY(registry.put_blob(oci_digest(kEmptyConfig), kEmptyConfig));
  LLMPATCH_TRY(registry.put_manifest(tag, manifest, kOciManifestType));
  return true;
}

}  // namespace

Result<OciReference> parse_channel_repository(std::string_view text) {
  LLMPATCH_ASSIGN(OciReference reference, parse_oci_reference(text));
  if (reference.wanted().empty()) return reference;
  return make_error(
      ErrorKind::kInvalidArgument, "channel",
      reference.to_string() + ": found a tag or digest, expected the repository alone",
      "the files of a channel have tags of their own");
}

std::string channel_tag(const std::string& file) {
  constexpr std::size_t kDigits = 64;
  return is_patch(file) ? file.substr(kTargets.size(), kDigits) : file;
}

Result<std::optional<std::string>> find_channel_file(Registry& registry, const std::string& file,
                                                     std::uint64_t max_bytes,
                                                     const ProgressFn& progress) {
  LLMPATCH_ASSIGN(const auto manifest, registry.find_manifest(channel_tag(file)));
  if (!manifest) return std::optional<std::string>();
  LLMPATCH_ASSIGN(const OciLayer layer,
                  parse_file_manifest(manifest->bytes, file, kChannelArtifactType, file));
  if (layer.size > max_bytes) {
    return channel_error(ErrorKind::kLimit,
                         file + ": found " + std::to_string(layer.size) +
                             " bytes, expected at most " + std::to_string(max_bytes),
                         "");
  }
  LLMPATCH_ASSIGN(std::string bytes, registry.get_blob(layer.digest, layer.size, progress));
  return std::optional(std::move(bytes));
}

Result<std::vector<std::string>> push_channel(const std::filesystem::path& folder,
                                              const std::vector<std::string>& files,
                                              Registry& registry, const ProgressFn& progress) {
  LLMPATCH_ASSIGN(const std::string timestamp, read_channel_file(folder, kChannelTimestamp));
  LLMPATCH_TRY(check_not_newer(registry, timestamp));
  std::vector<std::string> uploaded;
  std::uint64_t done = 0;
  for (const std::string& file : files) {
    LLMPATCH_ASSIGN(const std::string bytes, read_channel_file(folder, file));
    LLMPATCH_ASSIGN(const bool is_new, push_file(registry, file, bytes));
    if (is_new) uploaded.push_back(file);
    if (progress) progress(++done, files.size(), file);
  }
  return uploaded;
}

}  // namespace llmpatch
