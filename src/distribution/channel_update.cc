#include "distribution/channel_update.h"

#include <algorithm>
#include <memory>

#include "base/sha256.h"
#include "patch/archive.h"
#include "trust/strict_json.h"

namespace llmpatch {
namespace {

// What holds until something fails stays in `update`.
Status read_metadata(ChannelSource& source, TufUpdate& update) {
  while (true) {
    const TufWanted next = update.next_root();
    LLMPATCH_ASSIGN(const auto root,
                    source.find(tuf_file_name(TufRole::kRoot, next.version), next.max_bytes));
    if (!root) break;
    LLMPATCH_TRY(update.add_root(*root));
  }
  LLMPATCH_TRY(update.end_roots());
  LLMPATCH_ASSIGN(const std::string timestamp,
                  source.get("timestamp.json", tuf_max_bytes(TufRole::kTimestamp)));
  LLMPATCH_TRY(update.set_timestamp(timestamp));
  const TufWanted snapshot = update.wanted_snapshot();
  LLMPATCH_ASSIGN(
      const std::string snapshot_text,
      source.get(tuf_file_name(TufRole::kSnapshot, snapshot.version), snapshot.max_bytes));
  LLMPATCH_TRY(update.set_snapshot(snapshot_text));
  const TufWanted targets = update.wanted_targets();
  LLMPATCH_ASSIGN(const std::string targets_text,
                  source.get(tuf_file_name(TufRole::kTargets, targets.version), targets.max_bytes));
  return update.set_targets(targets_text);
}

// The file of a target from one address: as long as it should be, with the digest it should have.
Result<std::string> fetch(ChannelSource& source, const ChannelTarget& target,
                          const ProgressFn& progress) {
  LLMPATCH_ASSIGN(std::string archive, source.get(channel_file(target), target.length, progress));
  const std::string where = source.place() + ": " + channel_file(target);
  if (archive.size() != target.length) {
    return untrusted(where, "found " + std::to_string(archive.size()) + " bytes, expected " +
                                std::to_string(target.length));
  }
  const std::string digest = sha256_hex(archive);
  if (digest == target.sha256) return archive;
  return untrusted(where, "found sha256 " + digest + ", expected " + target.sha256);
}

using Sources = std::vector<std::unique_ptr<ChannelSource>>;

// An update that has its metadata.
class Installer {
 public:
  Installer(Store& store, Sources& sources, const UpdateOptions& options, UpdateReport& report)
      : store_(store), sources_(sources), options_(options), report_(report) {}

  // `offers`: every release of one name, the newest first.
  Status update(const std::vector<ChannelTarget>& offers, const std::string& now) {
    const ChannelTarget* wanted = nullptr;
    bool newer_was_revoked = false;
    for (const ChannelTarget& offer : offers) {
      LLMPATCH_ASSIGN(const bool revoked, is_revoked(offer.name, offer.version, offer.digest));
      const bool expired = offer.expires && *offer.expires <= now;
      if (!offer.revoked && !revoked && !expired) {
        wanted = &offer;
        break;
      }
      if (expired) note(offer.title() + " expired at " + *offer.expires + ": passed over");
      newer_was_revoked = newer_was_revoked || offer.revoked || revoked;
    }
    if (wanted == nullptr) {
      note("patch " + offers.front().name +
           ": the channel has no version that is neither revoked "
           "nor expired");
      return {};
    }
    LLMPATCH_ASSIGN(const Found found, look_for(*wanted));
    if (found == Found::kAll) return {};
    LLMPATCH_ASSIGN(const std::string archive, fetch_archive(*wanted));
    InstallOptions install = options_.install;
    install.check = [&](const Manifest& manifest, const PatchFiles& files) {
      return check_channel_target(*wanted, manifest, files);
    };
    const std::string source = report_.place + ": " + channel_path(wanted->name, wanted->version);
    const auto unpack = [&] { return unpack_files(archive, wanted->title()); };
    if (found == Found::kContents) {
      // Which version is active was decided when these contents came.
      install.activate = false;
      LLMPATCH_ASSIGN(Change change, store_.install(source, unpack, install));
      if (change.changed) report_.renewed.push_back(std::move(change));
      return {};
    }
    // The channel itself says that the older release is the one to have.
    if (newer_was_revoked) {
      install.allow_downgrade = true;
      install.downgrade_reason = "the channel has nothing newer that is not revoked";
    }
    LLMPATCH_ASSIGN(const bool may_activate, store_.may_activate(wanted->name));
    if (install.activate && !may_activate) {
      install.activate = false;
      note("patch " + wanted->name + ": found it deactivated; " + wanted->version +
           " is installed and not active");
    }
    LLMPATCH_ASSIGN(Change change, store_.install(source, unpack, install));
    report_.installed.push_back(std::move(change));
    return {};
  }

 private:
  void note(std::string line) { report_.notes.push_back(std::move(line)); }

  // That it cannot be told is an error, and neither answer.
  Result<bool> is_revoked(const std::string& name, const std::string& version,
                          const std::string& digest) {
    const Status status = store_.check_revoked(name, version, digest);
    if (status.ok()) return false;
    if (status.error().kind == ErrorKind::kDenied) return true;
    return status.error();
  }

  enum class Found {
    kNothing,
    kContents,  // under another signature than the channel's, or damaged
    kAll,       // or a newer release that is not revoked
  };

  // What the store has of this release.
  Result<Found> look_for(const ChannelTarget& wanted) {
    LLMPATCH_ASSIGN(const std::vector<InstalledPatch> patches, store_.list());
    for (const InstalledPatch& patch : patches) {
      if (patch.name != wanted.name) continue;
      if (patch.version == wanted.version && patch.digest == wanted.digest) {
        LLMPATCH_ASSIGN(const bool same, is_archive(patch, wanted));
        return same ? Found::kAll : Found::kContents;
      }
      if (patch.version == wanted.version) {
        return make_error(ErrorKind::kExists, "channel",
                          wanted.title() + ": found it installed with other contents, sha256:" +
                              patch.digest + ", expected sha256:" + wanted.digest,
                          "llmpatch remove the one that is there");
      }
      LLMPATCH_ASSIGN(const bool revoked, is_revoked(patch.name, patch.version, patch.digest));
      if (patch.sequence > wanted.sequence && !revoked) return Found::kAll;
    }
    return Found::kNothing;
  }

  // Whether packing what the store has of `patch` gives the file that the channel offers. The
  // contents are the same; a signature is not one of them.
  Result<bool> is_archive(const InstalledPatch& patch, const ChannelTarget& wanted) {
    const auto stored = store_.read({patch.name, "", patch.digest});
    if (!stored.ok() && stored.error().kind == ErrorKind::kCorrupt) return false;
    if (!stored.ok()) return stored.error();
    LLMPATCH_ASSIGN(const std::string archive, pack_files(stored->files));
    return sha256_hex(archive) == wanted.sha256;
  }

  Result<std::string> fetch_archive(const ChannelTarget& target) {
    std::optional<Error> first;
    for (const auto& source : sources_) {
      Result<std::string> archive = fetch(*source, target, options_.progress);
      if (archive.ok() || archive.error().kind == ErrorKind::kCancelled) return archive;
      if (!first) first = std::move(archive).error();
    }
    return *first;
  }

  Store& store_;
  Sources& sources_;  // the one that answered first
  const UpdateOptions& options_;
  UpdateReport& report_;
};

}  // namespace

Result<UpdateReport> update_channel(Store& store, Subscription subscription,
                                    const UpdateOptions& options) {
  Sources sources;
  LLMPATCH_ASSIGN(auto own, ChannelSource::open(subscription.url, options.server));
  sources.push_back(std::move(own));
  for (const std::string& mirror : subscription.mirrors) {
    LLMPATCH_ASSIGN(auto source, ChannelSource::open(mirror, options.server));
    sources.push_back(std::move(source));
  }
  LLMPATCH_ASSIGN(const std::string now, store.begin_update(subscription));
  std::optional<TufUpdate> update;
  std::optional<Error> first;
  for (std::size_t i = 0; i < sources.size() && !update; ++i) {
    LLMPATCH_ASSIGN(TufUpdate attempt, TufUpdate::begin(subscription.believed, now));
    const Status read = read_metadata(*sources[i], attempt);
    if (read.ok()) {
      update = std::move(attempt);
      if (i > 0) std::swap(sources[0], sources[i]);
      continue;
    }
    // Who can hold back one file must not make a rotation or a newer timestamp be forgotten.
    LLMPATCH_TRY(store.keep(subscription, attempt.files()));
    if (read.error().kind == ErrorKind::kCancelled) return read.error();
    if (!first) first = read.error();
  }
  if (!update) {
    first->message = "channel " + subscription.url + ": " + first->message;
    return *first;
  }
  ChannelOffers offers = read_channel_offers(update->targets());
  const std::vector<ChannelTarget>& targets = offers.targets;
  UpdateReport report;
  report.errors = std::move(offers.errors);
  report.place = sources[0]->place();
  report.version = update->targets().version;
  report.expires = update->expires();
  std::vector<ChannelTarget> obeyed = targets;
  obeyed.insert(obeyed.end(), offers.only_revoked.begin(), offers.only_revoked.end());
  LLMPATCH_ASSIGN(report.revoked, store.believe(subscription, update->files(), obeyed));

  Installer installer(store, sources, options, report);
  for (auto from = targets.begin(); from != targets.end();) {
    const auto to = std::find_if(from, targets.end(), [&](const ChannelTarget& target) {
      return target.name != from->name;
    });
    if (subscription.follows(from->name)) {
      if (const Status done = installer.update({from, to}, now); !done.ok()) {
        if (done.error().kind == ErrorKind::kCancelled) return done.error();
        report.errors.push_back(done.error());
      }
    }
    from = to;
  }
  for (const std::string& name : subscription.names) {
    const bool offered = std::any_of(targets.begin(), targets.end(),
                                     [&](const auto& target) { return target.name == name; });
    if (!offered) report.notes.push_back("patch " + name + ": the channel has none of that name");
  }
  return report;
}

}  // namespace llmpatch
