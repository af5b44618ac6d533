// One update of a TUF client (specification 1.0, section 5) without a network: what is fetched is
// given in, in order, and is believed or refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "trust/tuf_metadata.h"

namespace llmpatch {

// The files that a client believes, as they came. What it has not seen yet is empty.
struct TufFiles {
  std::string root, timestamp, snapshot, targets;

  bool operator==(const TufFiles&) const = default;
};

// A file to fetch: its version, and how many bytes it may have.
struct TufWanted {
  std::int64_t version = 0;
  std::uint64_t max_bytes = 0;
};

// The order: begin, add_root for each next root there is, end_roots, set_timestamp, set_snapshot,
// set_targets. Whatever is refused is kUntrusted (kLimit where it is too long), changes nothing,
// and ends the update. Signatures, versions against those believed before, the pins of one file on
// another and expiry are checked at each step; expiry against the one moment given to begin, so
// that a slow update cannot take what was fresh one by one.
class TufUpdate {
 public:
  // How many roots one update may go on by.
  static constexpr int kMaxRotations = 256;

  // `believed`: what the update before ended with, or a pinned root alone. `now` is is_utc_time.
  static Result<TufUpdate> begin(TufFiles believed, std::string now);

  // The root that would come next.
  TufWanted next_root() const;
  // It must be signed as the root before it and as it says itself, and have the next version. Where
  // it gives other keys to timestamp or snapshot, what is believed of both is forgotten: whoever
  // had the old keys may have signed version numbers that nothing can follow.
  Status add_root(std::string_view bytes);
  // There is no next root. Refuses one that has expired.
  Status end_roots();

  Status set_timestamp(std::string_view bytes);
  TufWanted wanted_snapshot() const;  // after set_timestamp
  Status set_snapshot(std::string_view bytes);
  TufWanted wanted_targets() const;  // after set_snapshot
  Status set_targets(std::string_view bytes);

  const TufRoot& root() const { return root_; }
  const TufTargets& targets() const { return targets_; }  // after set_targets
  const TufFiles& files() const { return files_; }
  // When the first of the four expires; after set_targets.
  std::string expires() const;

 private:
  Status check_fresh(TufRole role, const std::string& expires) const;

  std::string now_;
  TufFiles files_;
  TufRoot root_;
  int rotations_ = 0;
  std::optional<TufFileList> timestamp_, snapshot_;  // believed until now
  TufTargets targets_;
};

}  // namespace llmpatch
