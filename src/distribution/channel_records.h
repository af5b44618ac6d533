// What a store's database says about update channels: every statement of SQL about them stands in
// channel_records.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "distribution/database.h"
#include "trust/tuf_update.h"

namespace llmpatch {

// What becomes of a stack whose patch was revoked, with no other version to take its place.
enum class OnRevoke {
  kRefuse,     // loading it fails
  kUnpatched,  // it runs without that patch, and every run says so
};

// A channel that a store follows.
struct Subscription {
  std::string url;                   // http(s) address or folder; what the channel is known by
  std::vector<std::string> mirrors;  // asked where it fails, in order
  std::vector<std::string> names;    // of the patches that are followed; empty: all
  OnRevoke on_revoke = OnRevoke::kRefuse;
  TufFiles believed;
  std::string latest;  // the latest start of an update, is_utc_time; empty before the first
  std::int64_t generation = 0;  // grows with each change: who wants to change it has seen this one

  bool follows(const std::string& name) const;
};

// A version that its maker has revoked. For ever.
struct Revocation {
  std::string name, version, digest;
  std::string channel;  // that said so
  std::string seen;     // when that was read
};

// Every function fails as Database::query does. None makes a transaction of its own.
namespace records {

Result<std::vector<Subscription>> subscriptions(Database& database);
// Adds it, or puts it in the place of that of the same address.
Status put_subscription(Database& database, const Subscription& subscription);
// Whether there was one.
Result<bool> remove_subscription(Database& database, const std::string& url);

// True when it is news.
Result<bool> add_revocation(Database& database, const Revocation& revocation);
// That of a patch of this name with this version or these contents.
Result<std::optional<Revocation>> find_revocation(Database& database, const std::string& name,
                                                  const std::string& version,
                                                  const std::string& digest);

}  // namespace records
}  // namespace llmpatch
