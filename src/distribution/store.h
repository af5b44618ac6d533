// The store: the patches of one operator, which of them are active, and what was done to them. What
// protects it, and what its commands promise, is in docs/store.md.
#pragma once

#include <ctime>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "distribution/blobs.h"
#include "distribution/channel_records.h"
#include "distribution/channel_target.h"
#include "distribution/database.h"
#include "distribution/lock.h"
#include "distribution/records.h"
#include "distribution/reference.h"
#include "trust/load.h"

namespace llmpatch {

struct StoreOptions {
  bool create = false;  // make the folder where there is none
  std::string who;      // for the history; empty: the user of this process
  std::function<std::time_t()> clock = [] { return std::time(nullptr); };
};

struct InstallOptions {
  Trust trust;
  AllowUnsigned allow_unsigned = AllowUnsigned::kNo;
  bool allow_downgrade = false;                        // an older sequence than one seen before
  const char* downgrade_reason = "--allow-downgrade";  // what allows it, for the warning
  bool allow_expired = false;
  bool activate = false;  // too, in the same step
  // What the patch has to be besides, asked once its signature was verified; what it fails with is
  // the refusal.
  std::function<Status(const Manifest& manifest, const PatchFiles& files)> check;
};

// What became of the active version of a name that was revoked.
struct RevokedPatch {
  std::string title;        // of the version that was active
  std::string replacement;  // title of the one that is active now; empty: none is
  std::string warning;      // both, as one line
};

// What an operation did.
struct Change {
  InstalledPatch patch;               // as it is now; as it was, when it was removed
  bool changed = true;                // false: it was like that already
  std::vector<std::string> warnings;  // what was waived, a line each
  std::size_t repaired = 0;           // damaged files that were written anew
};

// The files of a patch as the store has them.
struct StoredContents {
  PatchFiles files;
  InstalledPatch entry;
  std::filesystem::path source;  // for messages
};

// A patch read from the store.
struct StoredPatch {
  TrustedPatch loaded;
  InstalledPatch entry;
  std::string expired;  // a line that says so; empty unless it has expired
};

// An open store. Any number of processes may use the same folder at a time; an object belongs to
// one thread at a time. A change is whole or not there, even if the process is killed within it,
// and on the disk when its function returns.
//
// Each change is written to the history with its outcome, those that are refused too. Besides what
// each function names, all of them can fail with kLimit (another process keeps the store locked),
// kCorrupt (a damaged database or file) and kIo.
class Store {
 public:
  // Opens the store in `folder`. kNotFound: there is none, without options.create; kDenied: others
  // may write there, or it is a folder with other things in it; kUnsupported: made by a newer
  // llmpatch.
  static Result<Store> open(const std::filesystem::path& folder, StoreOptions options = {});

  // The policy that the owner keeps in the store (trust.json), empty where there is none. Nothing
  // is installed, made active or loaded that it does not let in, whatever other keys are given.
  // kUnverifiable as read_trust_policy, and then nothing is let in.
  Result<Trust> policy() const;

  // Loads the files of a patch that need not be one of the store, as load_trusted_files does: under
  // `trust` and under the policy, each as if there were no other.
  Result<TrustedPatch> load_files(PatchFiles files, const std::filesystem::path& source,
                                  const Trust& trust, AllowUnsigned allow) const;

  // Puts a patch directory or .llmpatch file into the store: the very bytes that were verified.
  // Without a signature that holds it is refused as load_trusted_patch does. kExists: this version
  // is there with other contents; kDenied: an older sequence than the highest ever seen of the
  // name, expired, or revoked. The same contents again are no change, unless they repair files that
  // were damaged or renew the signature, where another one was verified now. With options.activate
  // also the errors of activate; then nothing is installed.
  Result<Change> install(const std::filesystem::path& path, const InstallOptions& options);
  // The same for files from anywhere, such as a registry: what `read` gives, before the store is
  // locked. `source` names them in messages. What `read` fails with is in the history, too.
  using ReadFiles = std::function<Result<PatchFiles>()>;
  Result<Change> install(const std::filesystem::path& source, const ReadFiles& read,
                         const InstallOptions& options);

  // Makes a version the active one of its name; of a bare name the newest that is installed.
  // kNotFound; kDenied: expired, without `allow_expired`, or revoked; kMismatch: an active patch
  // excludes it or it one, it requires one that is not active, or one requires another version of
  // it; kUntrusted: the policy does not let it in.
  Result<Change> activate(const Reference& reference, bool allow_expired);
  // Leaves no version of the name active; where none is, that is no change of its newest, unless a
  // revocation had taken it away: from then on it is the owner's decision.
  // kNotFound: no patch of that name; kMismatch: an active patch requires it.
  Result<Change> deactivate(const std::string& name);
  // Returns to what was active before the version that is, or before the name was deactivated; with
  // `version`, to that one, if it was active here at any time. An expired one too, with a warning.
  // kNotFound: there is none to return to, or it was removed; kDenied: revoked; kMismatch as
  // activate.
  Result<Change> rollback(const std::string& name, const std::string& version = "");
  // Removes a version, and the files that no other has. kInvalidArgument: a bare name; kNotFound;
  // kDenied: it is active (and so whatever an active patch requires).
  Result<Change> remove(const Reference& reference);

  // Every patch, by name, the newest first.
  Result<std::vector<InstalledPatch>> list();
  bool is_expired(const InstalledPatch& patch) const;  // by the store's clock
  // What was done, the oldest first; to all, or to one name. With the latter stands what was
  // refused before its name could be believed: it may have been that one.
  Result<std::vector<HistoryEntry>> history(const std::string& name = "");

  // Reads the files of a patch, of a bare name those of the active version. Every byte is compared
  // with the digests that were recorded when it was installed; the signature is not looked at.
  // kNotFound names what there is.
  Result<StoredContents> read(const Reference& reference);
  // The same, and loads the patch. With something in `trust` or a policy the signature is verified
  // again, as load_trusted_patch does, under both; without, the recorded signer counts, and a patch
  // that was installed unverified is refused unless `allow` says otherwise. kDenied: revoked.
  Result<StoredPatch> load(const Reference& reference, const Trust& trust, AllowUnsigned allow);

  // Follows a channel, whose root in `believed` is pinned: nobody is asked. kExists: it is followed
  // already, and overwrite is kNo; kUntrusted: the root does not hold by itself.
  Status subscribe(Subscription subscription, Overwrite overwrite);
  // Revocations that were seen stay. kNotFound.
  Status unsubscribe(const std::string& url);
  Result<std::vector<Subscription>> subscriptions();
  // Begins an update of it: remembers that it was begun now, and gives the latest moment at which
  // one ever was, so that a clock that was put back makes nothing fresh again.
  Result<std::string> begin_update(Subscription& subscription);
  // Believes `files` from now on, as far as an update came that then failed. kLimit: another update
  // has changed the subscription meanwhile.
  Status keep(Subscription& subscription, const TufFiles& files);
  // Ends it: believes `files` from now on, and the revocations among `targets` of patches that are
  // followed. A revoked version that is active is replaced by the newest one installed that is not
  // revoked, has not expired, is undamaged, is let in by the policy and goes with the other active
  // patches; where there is none, no version stays active. All in one change. kLimit: another
  // update has changed the subscription meanwhile.
  Result<std::vector<RevokedPatch>> believe(Subscription& subscription, const TufFiles& files,
                                            const std::vector<ChannelTarget>& targets);
  // kDenied when a channel has revoked this patch, whether it is in the store or not.
  Status check_revoked(const std::string& name, const std::string& version,
                       const std::string& digest);
  // Why a stack may run without the patch that `name` stood for: its active version was revoked
  // with no other to take its place, the subscription to the channel that did so says kUnpatched,
  // and none that follows the name says kRefuse. Empty otherwise.
  Result<std::string> unpatched_reason(const std::string& name);
  // Whether an update may make a newer version the active one: not where somebody has deactivated
  // the name.
  Result<bool> may_activate(const std::string& name);

  const std::filesystem::path& folder() const { return folder_; }

 private:
  using Step = std::function<Result<Change>(HistoryEntry& entry)>;

  Store(std::filesystem::path folder, StoreOptions options, Database database);

  // change.cc. The lock must be held, but for run(), which takes it.
  Result<Change> run(HistoryEntry entry, const Step& step);
  Status run_plain(HistoryEntry entry, const std::function<Status()>& step);
  Error refuse(HistoryEntry entry, Error error);
  Status record(HistoryEntry entry, const char* outcome);
  Status record_change(HistoryEntry entry, const Change& change);
  HistoryEntry entry_of(const char* operation, const Reference& reference) const;

  // Which version a bare name means.
  enum class Bare { kNewest, kActive };

  // With the lock held.
  Result<InstalledPatch> find(const Reference& reference, Bare bare);
  Result<PatchFiles> read_files(const InstalledPatch& patch);
  Result<Manifest> read_manifest(const InstalledPatch& patch);
  void collect_garbage();
  std::filesystem::path source_of(const InstalledPatch& patch) const;  // for messages
  Result<StoreLock> lock(LockMode mode) const;

  // install.cc, within a step
  Result<Change> put(const TrustedPatch& loaded, const PatchFiles& files,
                     const InstallOptions& options);
  Result<Change> add(InstalledPatch patch, const TrustedPatch& loaded, const PatchFiles& files,
                     const InstallOptions& options);
  Result<Change> renew(InstalledPatch patch, const TrustedPatch& loaded, const PatchFiles& files);
  Result<std::vector<StoredFile>> put_files(const PatchFiles& files);

  // store_channel.cc, with the lock held
  Result<Subscription> believe_files(const Subscription& subscription, const TufFiles& files);
  Status check_not_revoked(const InstalledPatch& patch);
  Result<std::optional<InstalledPatch>> revoked_latest(const std::string& name);
  bool can_replace(const InstalledPatch& patch);
  Result<RevokedPatch> replace_revoked(const InstalledPatch& patch, const Revocation& revocation);

  // activate.cc, within a step
  Result<Change> activate_found(InstalledPatch patch, bool allow_expired);
  Result<Change> make_active(InstalledPatch patch, const std::optional<std::int64_t>& previous);
  Status check_active(const std::string& name, const InstalledPatch* instead);
  Status check_policy(const InstalledPatch& patch);

  std::filesystem::path folder_;
  StoreOptions options_;
  Database database_;
  Blobs blobs_;
};

}  // namespace llmpatch
