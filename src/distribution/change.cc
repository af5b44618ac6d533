// How every change goes: under the lock, in one transaction, with a line of history.
#include <utility>
#include <vector>

#include "base/join.h"
#include "distribution/store.h"
#include "patch/expiry.h"

namespace llmpatch {
namespace {

// Nothing was wrong with what was asked for; it could not be done.
bool is_failure(ErrorKind kind) {
  return kind == ErrorKind::kIo || kind == ErrorKind::kInternal || kind == ErrorKind::kLimit ||
         kind == ErrorKind::kCancelled;
}

}  // namespace

HistoryEntry Store::entry_of(const char* operation, const Reference& reference) const {
  HistoryEntry entry;
  entry.operation = operation;
  entry.name = reference.name;
  if (!reference.version.empty()) entry.version = reference.version;
  if (!reference.digest.empty()) entry.digest = reference.digest;
  return entry;
}

Status Store::record(HistoryEntry entry, const char* outcome) {
  entry.time = utc_text(options_.clock());
  entry.who = options_.who;
  entry.outcome = outcome;
  return records::add_history(database_, entry);
}

Status Store::record_change(HistoryEntry entry, const Change& change) {
  entry.name = change.patch.name;
  entry.version = change.patch.version;
  entry.digest = change.patch.digest;
  if (change.patch.signer) entry.signer = change.patch.signer->to_string();
  std::vector<std::string> said = change.warnings;
  if (change.repaired > 0) {
    said.push_back("repaired damaged files: " + std::to_string(change.repaired));
  }
  entry.detail = join(said, "; ");
  return record(std::move(entry), change.changed ? "done" : "unchanged");
}

Result<Change> Store::run(HistoryEntry entry, const Step& step) {
  // Who never had a turn leaves no line: writing it would have to wait as well.
  LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kExclusive));
  const auto attempt = [&]() -> Result<Change> {
    LLMPATCH_ASSIGN(Transaction transaction, Transaction::begin(database_));
    LLMPATCH_ASSIGN(Change change, step(entry));
    LLMPATCH_TRY(record_change(entry, change));
    LLMPATCH_TRY(transaction.commit());
    return change;
  };
  Result<Change> result = attempt();
  if (!result.ok()) return refuse(std::move(entry), std::move(result).error());
  collect_garbage();
  return result;
}

// A change that concerns no one patch; the line says what `entry` says.
Status Store::run_plain(HistoryEntry entry, const std::function<Status()>& step) {
  LLMPATCH_ASSIGN(const StoreLock held, lock(LockMode::kExclusive));
  const auto attempt = [&]() -> Status {
    LLMPATCH_ASSIGN(Transaction transaction, Transaction::begin(database_));
    LLMPATCH_TRY(step());
    LLMPATCH_TRY(record(entry, "done"));
    return transaction.commit();
  };
  Status result = attempt();
  if (!result.ok()) return refuse(std::move(entry), std::move(result).error());
  return {};
}

Error Store::refuse(HistoryEntry entry, Error error) {
  const bool failed = is_failure(error.kind);
  entry.detail = error.message;
  const Status written = record(std::move(entry), failed ? "failed" : "refused");
  // On a full disk that fails for the same reason, which the error says already.
  if (!written.ok() && !failed) {
    error.message += " (not in the history: " + written.error().message + ")";
  }
  return error;
}

}  // namespace llmpatch
