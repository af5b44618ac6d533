// The maker's side of an update channel: a folder that any server of static files can give out.
//
//   1.root.json 2.root.json …   who may sign what; each root is signed by the one before it, too
//   timestamp.json              the newest snapshot; signed anew every few days
//   N.snapshot.json N.targets.json
//   targets/<sha256>.name-version.llmpatch
//   draft.json                  what the next publish says; nobody signed it, nobody reads it
#pragma once

#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "distribution/channel_target.h"
#include "trust/key.h"
#include "trust/load.h"
#include "trust/tuf_metadata.h"

namespace llmpatch {

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
                           const ChannelDays& days);
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
  // snapshot and a timestamp of them. What was written meanwhile stays for the next time. kExists:
  // something else was published since.
  Result<ChannelStep> publish(const TufTargets& draft, const std::vector<PrivateKey>& signers,
                              const ChannelDays& days);
  // Signs the next timestamp of the same snapshot: the one step that the online key is for.
  Result<ChannelStep> refresh(const std::vector<PrivateKey>& signers, const ChannelDays& days);
  // Signs the next root, with the keys given in the place of those a role had. Where the snapshot
  // had those of the targets, it gets the new ones, too, unless it gets keys of its own.
  Result<ChannelStep> rotate(const ChannelKeys& keys, const std::vector<PrivateKey>& signers,
                             const ChannelDays& days);

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
  std::string after(int days) const;
  std::string expiry_advice(const std::string& expires, const char* what) const;

  std::filesystem::path folder_;
  std::time_t now_;
};

}  // namespace llmpatch
