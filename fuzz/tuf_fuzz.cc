// Any bytes as what a channel serves: a root, timestamp, snapshot or targets. What is accepted must
// keep the promises of its reader.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/sha256.h"
#include "distribution/channel_target.h"
#include "patch/names.h"
#include "trust/canonical_json.h"
#include "trust/tuf_make.h"
#include "trust/tuf_update.h"

namespace {

using llmpatch::TufRole;

void require(bool holds) {
  if (!holds) std::abort();
}

void read_root(const llmpatch::TufEnvelope& envelope, std::string_view text) {
  const auto root = llmpatch::parse_tuf_root(envelope, "fuzz");
  if (!root.ok()) return;
  for (const TufRole role : llmpatch::kTufRoles) {
    const auto& keys = root->roles.at(role);
    require(keys.threshold >= 1 && keys.threshold <= std::int64_t(keys.keyids.size()));
    for (const std::string& id : keys.keyids) require(root->keys.contains(id));
    (void)llmpatch::verify_tuf(envelope, *root, role, "fuzz").ok();
  }
  // What is written of it is read as the same.
  llmpatch::TufEnvelope again = envelope;
  again.body = llmpatch::tuf_body(*root);
  const auto same = llmpatch::parse_tuf_root(again, "fuzz");
  require(same.ok() && same->roles == root->roles);
  auto update = llmpatch::TufUpdate::begin({std::string(text), "", "", ""}, "2027-01-01T00:00:00Z");
  if (update.ok()) (void)update->add_root(text).ok();
}

void read_targets(const llmpatch::TufEnvelope& envelope) {
  const auto targets = llmpatch::parse_tuf_targets(envelope, "fuzz");
  if (!targets.ok()) return;
  const auto patches = llmpatch::read_channel_targets(*targets);
  if (!patches.ok()) return;
  for (const auto& patch : *patches) {
    require(llmpatch::is_patch_name(patch.name) && llmpatch::is_semver(patch.version));
    require(llmpatch::is_sha256_hex(patch.sha256) && patch.sequence >= 1);
    // The name of a file in that folder, whatever it was made of.
    require(llmpatch::channel_file(patch).find('/', 8) == std::string::npos);
  }
}

// The role that the text says it is of. A text is no envelope of any other, so that reading it as
// one would only cost time; what names none is read as a root.
TufRole role_of(std::string_view text) {
  const auto type = text.find("\"_type\"");
  if (type == std::string_view::npos) return TufRole::kRoot;
  const std::string_view value = text.substr(type, 24);
  for (const TufRole role : llmpatch::kTufRoles) {
    if (value.find(llmpatch::tuf_role_name(role)) != std::string_view::npos) return role;
  }
  return TufRole::kRoot;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto envelope = llmpatch::parse_tuf_envelope(text, role_of(text), "fuzz");
  if (!envelope.ok()) return 0;
  require(envelope->version >= 1 && llmpatch::is_utc_time(envelope->expires));
  require(*llmpatch::canonical_json(envelope->body, "fuzz") == envelope->message);
  (void)llmpatch::parse_tuf_timestamp(*envelope, "fuzz").ok();
  (void)llmpatch::parse_tuf_snapshot(*envelope, "fuzz").ok();
  read_root(*envelope, text);
  read_targets(*envelope);
  return 0;
}
