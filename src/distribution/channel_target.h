// What an update channel offers: patches as the targets of a TUF repository.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "patch/files.h"
#include "patch/manifest.h"
#include "trust/tuf_metadata.h"

namespace llmpatch {

// The longest .llmpatch file (docs/format.md).
inline constexpr std::uint64_t kMaxChannelArchive = std::uint64_t{96} << 20;

// One release of a patch. What `custom` says of it is also in the patch, under the maker's own
// signature; both must agree before it is installed.
struct ChannelTarget {
  std::string name, version;
  std::string digest;  // root_digest of the patch's files: names the contents, whoever signed them
  std::int64_t sequence = 0;
  std::optional<std::string> expires;
  std::string base;  // SHA-256 of the base model's file
  bool revoked = false;
  std::uint64_t length = 0;  // of the .llmpatch file
  std::string sha256;

  std::string title() const { return "patch " + name + " " + version; }
};

// "name-version.llmpatch", as targets.json calls it.
std::string channel_path(const std::string& name, const std::string& version);
// Where the file lies, seen from the channel's folder: "targets/<sha256>.name-version.llmpatch".
std::string channel_file(const ChannelTarget& target);

TufTarget to_tuf_target(const ChannelTarget& target);

// The patches among the targets: all whose path ends in .llmpatch, the newest of a name first (by
// sequence, then by version), names in order. kUntrusted when one of these has not exactly the
// members that to_tuf_target gives, or another path than its own; kLimit when one is larger than a
// patch may be.
Result<std::vector<ChannelTarget>> read_channel_targets(const TufTargets& targets);

// What a client makes of targets whose signature holds: one that is said in a form it does not know
// costs neither the others nor the revocation in it.
struct ChannelOffers {
  std::vector<ChannelTarget> targets;  // in the order of read_channel_targets
  // Of those in another form, what name, version and digest can be read and are revoked.
  std::vector<ChannelTarget> only_revoked;
  std::vector<Error> errors;  // why each of these is no target
};
ChannelOffers read_channel_offers(const TufTargets& targets);

// The target of `archive`, whose files and manifest these are.
ChannelTarget channel_target_of(const Manifest& manifest, const PatchFiles& files,
                                std::string_view archive);

// kUntrusted, naming what differs, unless this manifest and these files are what the target says.
Status check_channel_target(const ChannelTarget& target, const Manifest& manifest,
                            const PatchFiles& files);

}  // namespace llmpatch
