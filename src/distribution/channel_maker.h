// The maker's side of an update channel: a folder that any server of static files can give out.
//
//   1.root.json 2.root.json …   who may sign what; each root is signed by the one before it, too
//   timestamp.json              the newest snapshot; signed anew every few days
//   N.snapshot.json N.targets.json
//   targets/<sha256>.name-version.llmpatch
//   draft.json                  what the next publish says; nobody signed it, nobody reads it
//   next.root.json next.targets.json    what waits for more signatures; nobody reads it either
#pragma once

#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "distribution/channel_target.h"
#include "trust/key.h"
#include "trust/load.h"
#include "trust/tuf_metadata.h"

namespace llmpatch {

inline constexpr const char* kChannelDraft = "draft.json";
inline constexpr const char* kChannelTimestamp = "timestamp.json";

// The keys of each role; where none stands, those that there were before.
struct ChannelKeys {
  std::vector<PublicKey> root, targets, snapshot, timestamp;
  std::int64_t root_threshold = 0, targets_threshold = 0;  // 0: as it was; 1 at first
};

// How long what is signed holds, in days.
struct ChannelDays {
  int root = 365, targets = 90, timestamp = 7;  // the snapshot as long as the targets
};

// What a step wrote, and what is to be done next, a line each.
struct ChannelStep {
  std::vector<std::string> written;
  std::vector<std::string> advice;
};

// Whether a step that is given too few keys puts what they signed into next.ROLE.json, where
// ChannelFolder::sign adds to it, instead of failing.
enum class Collect { kNo, kYes };

// kUntrusted for targets that are no patches, or in a form that read_channel_targets refuses:
// whatever is signed is also shown.
Status check_channel_draft(const TufTargets& draft);

// Private keys are given to each step that signs; those that do not speak for a role it signs are
// passed over, and too few are kInvalidArgument. Every step reads the folder anew and leaves what a
// client reads whole: timestamp.json, which leads to all else, is put last. kNotFound, kCorrupt,
// kLimit and kIo for what is missing or broken in the folder. One maker at a time.
class ChannelFolder {
 public:
  explicit ChannelFolder(std::filesystem::path folder, std::time_t now = std::time(nullptr))
      : folder_(std::move(folder)), now_(now) {}

  // Makes the folder and the first root. Without keys of its own the snapshot has those of the
  // targets. kExists: there is a channel already; kInvalidArgument: a role without keys.
  Result<ChannelStep> init(const ChannelKeys& keys, const std::vector<PrivateKey>& signers,
                           const ChannelDays& days, Collect collect = Collect::kNo);
  // Puts a signed patch (directory or .llmpatch file) among the targets of the draft, once its
  // signature was verified. kExists: this version is there with other contents; kDenied: it was
  // revoked, or has expired; errors of load_trusted_files.
  Result<ChannelTarget> add(const std::filesystem::path& patch, const Trust& trust);
  // Says in the draft that a version is revoked; that is for ever. kNotFound.
  Result<ChannelTarget> revoke(const std::string& name, const std::string& version);
  // What the next publish says: what is published, with the changes since. kUntrusted: a published
  // file is not signed as the roots say, or there is a target that is no patch.
  Result<TufTargets> draft() const;
  // Signs `draft`, which draft() gave and somebody has looked at, as the next targets, and a
  // snapshot and a timestamp of them. What was written meanwhile stays for the next time. Where the
  // targets wait for signatures, those that there are count, and the expiry they have; with
  // Collect::kYes signs these and nothing else. kExists: something else was published since, or
  // waits; kDenied: what waits has expired meanwhile.
  Result<ChannelStep> publish(const TufTargets& draft, const std::vector<PrivateKey>& signers,
                              const ChannelDays& days, Collect collect = Collect::kNo);
  // Signs the next timestamp of the same snapshot: the one step that the online key is for.
  Result<ChannelStep> refresh(const std::vector<PrivateKey>& signers, const ChannelDays& days);
  // The files that clients read of what was published, in an order in which they can be copied one
  // by one: what leads to others comes after them. kNotFound: nothing was published.
  Result<std::vector<std::string>> published_files() const;
  // Signs the next root, with the keys given in the place of those a role had. Where the snapshot
  // had those of the targets, it gets the new ones, too, unless it gets keys of its own.
  // kExists: a root waits for signatures.
  Result<ChannelStep> rotate(const ChannelKeys& keys, const std::vector<PrivateKey>& signers,
                             const ChannelDays& days, Collect collect = Collect::kNo);
  // What waits for signatures in that role (root or targets), or nothing. kUntrusted for something
  // that is not as this program writes it.
  Result<std::optional<TufEnvelope>> pending(TufRole role) const;
  // Adds signatures to `shown`, which pending() gave and somebody has looked at. A root that then
  // has enough of them becomes the next one; targets wait for publish. kInvalidArgument: none of
  // `signers` speaks for the role; kExists: something else was signed since; kDenied: it has
  // expired, and nobody would take it.
  Result<ChannelStep> sign(const TufEnvelope& shown, const std::vector<PrivateKey>& signers) const;

 private:
  Result<std::vector<TufRoot>> roots() const;  // each signed as the one before it says; not empty
  Result<TufRoot> newest_root() const;
  Result<TufEnvelope> read_signed(const std::string& name, TufRole role,
                                  const TufFileInfo* pin) const;
  Result<TufTargets> published() const;  // of version 0 when nothing was
  Result<std::string> read(const std::string& name, TufRole role) const;
  Status write_draft(TufTargets draft) const;
  Status write(const std::string& name, const std::string& bytes) const;
  Result<TufFileList> timestamp() const;  // of version 0 when there is none yet
  // channel_pending.cc
  Result<ChannelStep> put_root(const TufRoot& root, const TufRoot* before, const std::string& text,
                               Collect collect) const;
  Result<ChannelStep> put_pending(TufRole role, const std::string& text,
                                  const std::vector<const TufRoot*>& roots) const;
  Status check_fresh(const TufEnvelope& pending) const;
  void forget(const std::string& name) const;
  Error not_published() const;
  std::string after(int days) const;
  std::string expiry_advice(const std::string& expires, const char* what) const;

  std::filesystem::path folder_;
  std::time_t now_;
};

}  // namespace llmpatch
