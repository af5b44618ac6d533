// Store's side of update channels: what is believed of them, and what they have revoked.
#include <algorithm>

#include "distribution/store.h"
#include "patch/expiry.h"

namespace llmpatch {
namespace {

Error revoked_error(const std::string& title, const Revocation& revocation) {
  return make_error(ErrorKind::kDenied, "store",
                    title + ": it was revoked by its maker (channel " + revocation.channel +
                        ", seen " + revocation.seen + ")",
                    "llmpatch update installs a version that is not revoked, where there is one");
}

Error not_followed(const std::string& url) {
  return make_error(ErrorKind::kNotFound, "store",
                    "channel " + url + ": found no subscription to it",
                    "llmpatch channel list shows what there is");
}

Result<Subscription> find_subscription(Database& database, const std::string& url) {
  LLMPATCH_ASSIGN(std::vector<Subscription> all, records::subscriptions(database));
  for (Subscription& each : all) {
    if (each.url == url) return std::move(each);
  }
  return not_followed(url);
}

}  // namespace

Status Store::subscribe(Subscription subscription, Overwrite overwrite) {
  HistoryEntry entry;
  entry.operation = "subscribe";
  entry.detail = "channel " + subscription.url;
  LLMPATCH_TRY(TufUpdate::begin({subscription.believed.root, "", "", ""}, ""));
  return run_plain(entry, [&]() -> Status {
    const Result<Subscription> there = find_subscription(database_, subscription.url);
    if (there.ok() && overwrite == Overwrite::kNo) {
      return make_error(ErrorKind::kExists, "store",
                        "channel " + subscription.url + ": found a subscription to it",
                        "--force begins anew from the root given now");
    }
    if (!there.ok() && there.error().kind != ErrorKind::kNotFound) return there.error();
    subscription.generation = there.ok() ? there->generation + 1 : 1;
    return records::put_subscription(database_, subscription);
  });
}

Status Store::unsubscribe(const std::string& url) {
  HistoryEntry entry;
  entry.operation = "unsubscribe";
  entry.detail = "channel " + url;
  return run_plain(entry, [&]() -> Status {
    LLMPATCH_ASSIGN(const bool was_there, records::remove_subscription(database_, url));
    if (was_there) return {};
    return not_followed(url);
  });
}

Result<std::vector<Subscription>> Store::subscriptions() {
  LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kShared));
  return records::subscriptions(database_);
}

Result<std::string> Store::begin_update(Subscription& subscription) {
  LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kExclusive));
  LLMPATCH_ASSIGN(Transaction transaction, Transaction::begin(database_));
  LLMPATCH_ASSIGN(subscription, find_subscription(database_, subscription.url));
  subscription.latest = std::max(subscription.latest, utc_text(options_.clock()));
  LLMPATCH_TRY(records::put_subscription(database_, subscription));
  LLMPATCH_TRY(transaction.commit());
  return subscription.latest;
}

// The subscription with `files`, unless it is no longer what `subscription` says.
Result<Subscription> Store::believe_files(const Subscription& subscription, const TufFiles& files) {
  LLMPATCH_ASSIGN(Subscription now, find_subscription(database_, subscription.url));
  // A subscription that was made anew begins its generations again, with what it believes.
  if (now.generation != subscription.generation || now.believed != subscription.believed) {
    return make_error(ErrorKind::kLimit, "store",
                      "channel " + subscription.url + ": another update was quicker",
                      "run llmpatch update again");
  }
  now.believed = files;
  ++now.generation;
  LLMPATCH_TRY(records::put_subscription(database_, now));
  return now;
}

Status Store::keep(Subscription& subscription, const TufFiles& files) {
  if (files == subscription.believed) return {};
  LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kExclusive));
  LLMPATCH_ASSIGN(Transaction transaction, Transaction::begin(database_));
  LLMPATCH_ASSIGN(Subscription now, believe_files(subscription, files));
  LLMPATCH_TRY(transaction.commit());
  subscription = std::move(now);
  return {};
}

Result<std::vector<RevokedPatch>> Store::believe(Subscription& subscription, const TufFiles& files,
                                                 const std::vector<ChannelTarget>& targets) {
  LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kExclusive));
  LLMPATCH_ASSIGN(Transaction transaction, Transaction::begin(database_));
  LLMPATCH_ASSIGN(Subscription now, believe_files(subscription, files));
  const std::string seen = utc_text(options_.clock());
  for (const ChannelTarget& target : targets) {
    if (!target.revoked || !now.follows(target.name)) continue;
    LLMPATCH_ASSIGN(const bool is_news,
                    records::add_revocation(
                        database_, {target.name, target.version, target.digest, now.url, seen}));
    if (!is_news) continue;
    HistoryEntry entry = entry_of("revoke", {target.name, target.version, target.digest});
    entry.detail = "channel " + now.url;
    LLMPATCH_TRY(record(std::move(entry), "done"));
  }
  std::vector<RevokedPatch> replaced;
  LLMPATCH_ASSIGN(const std::vector<InstalledPatch> patches, records::patches(database_));
  for (const InstalledPatch& patch : patches) {
    if (!patch.active) continue;
    LLMPATCH_ASSIGN(const auto revocation,
                    records::find_revocation(database_, patch.name, patch.version, patch.digest));
    if (!revocation) continue;
    LLMPATCH_ASSIGN(RevokedPatch done, replace_revoked(patch, *revocation));
    replaced.push_back(std::move(done));
  }
  LLMPATCH_TRY(transaction.commit());
  subscription = std::move(now);
  return replaced;
}

// Whatever is wrong with `patch`, or with one that is active beside it, says no, and is no error: a
// damaged file must not keep a revocation from being obeyed.
bool Store::can_replace(const InstalledPatch& patch) {
  return read_files(patch).ok() && check_policy(patch).ok() &&
         check_active(patch.name, &patch).ok();
}

// Nothing keeps a revoked version active: not that no other one fits, nor that another patch needs
// it, which then cannot be run either.
Result<RevokedPatch> Store::replace_revoked(const InstalledPatch& patch,
                                            const Revocation& revocation) {
  RevokedPatch done;
  done.title = patch.title();
  HistoryEntry entry = entry_of("deactivate", {patch.name, patch.version, patch.digest});
  entry.detail = "revoked by channel " + revocation.channel;
  LLMPATCH_ASSIGN(const std::vector<InstalledPatch> others,
                  records::patches(database_, patch.name));
  for (const InstalledPatch& other : others) {
    LLMPATCH_ASSIGN(const auto its_own,
                    records::find_revocation(database_, other.name, other.version, other.digest));
    if (its_own || is_expired(other)) continue;
    if (!can_replace(other)) continue;
    LLMPATCH_ASSIGN(const std::vector<Activation> past,
                    records::activations(database_, patch.name));
    LLMPATCH_TRY(records::set_active(database_, other, past.at(0).id));
    entry = entry_of("activate", {other.name, other.version, other.digest});
    entry.detail =
        "in the place of " + patch.version + ", revoked by channel " + revocation.channel;
    done.replacement = other.title();
    break;
  }
  if (done.replacement.empty()) LLMPATCH_TRY(records::set_unreplaced(database_, patch.name));
  LLMPATCH_TRY(record(std::move(entry), "done"));
  done.warning =
      done.title + " was revoked by its maker: " +
      (done.replacement.empty() ? "no other version can take its place, so none is active"
                                : done.replacement + " is active in its place");
  return done;
}

Status Store::check_not_revoked(const InstalledPatch& patch) {
  LLMPATCH_ASSIGN(const auto revocation,
                  records::find_revocation(database_, patch.name, patch.version, patch.digest));
  if (!revocation) return {};
  return revoked_error(patch.title(), *revocation);
}

Result<std::optional<InstalledPatch>> Store::revoked_latest(const std::string& name) {
  LLMPATCH_ASSIGN(const std::optional<NameState> state, records::name_state(database_, name));
  if (!state || state->active || !state->latest) return std::optional<InstalledPatch>();
  InstalledPatch patch;
  patch.name = name;
  patch.version = state->latest->version;
  patch.digest = state->latest->digest;
  LLMPATCH_ASSIGN(const auto revocation,
                  records::find_revocation(database_, patch.name, patch.version, patch.digest));
  return revocation ? std::optional(std::move(patch)) : std::nullopt;
}

Status Store::check_revoked(const std::string& name, const std::string& version,
                            const std::string& digest) {
  LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kShared));
  InstalledPatch patch;
  patch.name = name;
  patch.version = version;
  patch.digest = digest;
  return check_not_revoked(patch);
}

Result<std::string> Store::unpatched_reason(const std::string& name) {
  LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kShared));
  LLMPATCH_ASSIGN(const std::optional<NameState> state, records::name_state(database_, name));
  if (!state || !state->unreplaced) return std::string();
  LLMPATCH_ASSIGN(const std::optional<InstalledPatch> revoked, revoked_latest(name));
  if (!revoked) return std::string();
  LLMPATCH_ASSIGN(const auto revocation,
                  records::find_revocation(database_, name, revoked->version, revoked->digest));
  LLMPATCH_ASSIGN(const std::vector<Subscription> all, records::subscriptions(database_));
  bool is_said = false;
  for (const Subscription& each : all) {
    if (!each.follows(name)) continue;
    if (each.on_revoke == OnRevoke::kRefuse) return std::string();
    is_said = is_said || each.url == revocation->channel;
  }
  if (!is_said) return std::string();
  return revoked->title() +
         " was revoked by its maker and no version took its place: runs "
         "WITHOUT it (on_revoke: unpatched)";
}

Result<bool> Store::may_activate(const std::string& name) {
  LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kShared));
  LLMPATCH_ASSIGN(const std::optional<NameState> state, records::name_state(database_, name));
  return !state || !state->latest || state->active || state->unreplaced;
}

}  // namespace llmpatch
