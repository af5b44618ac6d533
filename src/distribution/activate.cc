// Store::activate, deactivate, rollback, and what may be active together.
#include <algorithm>

#include "distribution/store.h"
#include "patch/stack.h"

namespace llmpatch {

// Whether the active set may be what it is with `instead` in the place of the version of `name`
// that is active now, if any; nothing in its place when `instead` is null.
Status Store::check_active(const std::string& name, const InstalledPatch* instead) {
  LLMPATCH_ASSIGN(const std::vector<InstalledPatch> patches, records::patches(database_));
  std::vector<Manifest> stack;
  for (const InstalledPatch& patch : patches) {
    if (!patch.active || patch.name == name) continue;
    LLMPATCH_ASSIGN(Manifest manifest, read_manifest(patch));
    stack.push_back(std::move(manifest));
  }
  if (instead != nullptr) {
    LLMPATCH_ASSIGN(Manifest manifest, read_manifest(*instead));
    stack.push_back(std::move(manifest));
  }
  const Status status = check_stack(stack);
  if (status.ok()) return {};
  Error error = status.error();
  error.where = "store";
  error.message =
      (instead != nullptr ? "activate " + name + "@" + instead->version : "deactivate " + name) +
      ": " + error.message;
  error.hint = "llmpatch list shows what is active";
  return error;
}

// Whether the store's policy still lets `patch` in. One that was installed unverified needs no
// signature, but must not have one that does not hold.
Status Store::check_policy(const InstalledPatch& patch) {
  LLMPATCH_ASSIGN(const Trust own, policy());
  if (own.empty()) return {};
  LLMPATCH_ASSIGN(PatchFiles files, read_files(patch));
  const AllowUnsigned allow = patch.signer ? AllowUnsigned::kNo : AllowUnsigned::kYes;
  LLMPATCH_TRY(load_files(std::move(files), source_of(patch), {}, allow));
  return {};
}

Result<Change> Store::make_active(InstalledPatch patch,
                                  const std::optional<std::int64_t>& previous) {
  LLMPATCH_TRY(check_not_revoked(patch));
  LLMPATCH_TRY(check_policy(patch));
  LLMPATCH_TRY(check_active(patch.name, &patch));
  LLMPATCH_TRY(records::set_active(database_, patch, previous));
  patch.active = true;
  return Change{std::move(patch), true, {}};
}

Result<Change> Store::activate_found(InstalledPatch patch, bool allow_expired) {
  if (patch.active) return Change{std::move(patch), false, {}};
  std::vector<std::string> warnings;
  if (is_expired(patch)) {
    if (!allow_expired) {
      return make_error(ErrorKind::kDenied, "store",
                        patch.title() + ": expired at " + *patch.expires,
                        "install a newer one, or say --allow-expired");
    }
    warnings.push_back(patch.title() + " expired at " + *patch.expires + " (--allow-expired)");
  }
  LLMPATCH_ASSIGN(const std::optional<NameState> state, records::name_state(database_, patch.name));
  std::optional<std::int64_t> previous;
  if (state && state->latest) {
    // The same version again, after a deactivate, has the same one before it.
    const bool is_same =
        state->latest->version == patch.version && state->latest->digest == patch.digest;
    previous = is_same ? state->latest->previous : state->latest->id;
  }
  LLMPATCH_ASSIGN(Change change, make_active(std::move(patch), previous));
  change.warnings = std::move(warnings);
  return change;
}

Result<Change> Store::activate(const Reference& reference, bool allow_expired) {
  return run(entry_of("activate", reference), [&](HistoryEntry&) -> Result<Change> {
    LLMPATCH_ASSIGN(InstalledPatch patch, find(reference, Bare::kNewest));
    return activate_found(std::move(patch), allow_expired);
  });
}

Result<Change> Store::deactivate(const std::string& name) {
  const Reference reference{name, "", ""};
  return run(entry_of("deactivate", reference), [&](HistoryEntry&) -> Result<Change> {
    LLMPATCH_ASSIGN(InstalledPatch patch, find(reference, Bare::kNewest));
    LLMPATCH_ASSIGN(const std::optional<NameState> state, records::name_state(database_, name));
    if (state && state->unreplaced) {
      // From now on because the owner says so, which an update does not undo.
      LLMPATCH_TRY(records::set_inactive(database_, name));
      return Change{std::move(patch), true, {}};
    }
    if (!state || !state->active) return Change{std::move(patch), false, {}};
    LLMPATCH_ASSIGN(patch, find(reference, Bare::kActive));
    LLMPATCH_TRY(check_active(name, nullptr));
    LLMPATCH_TRY(records::set_inactive(database_, name));
    patch.active = false;
    return Change{std::move(patch), true, {}};
  });
}

Result<Change> Store::rollback(const std::string& name, const std::string& version) {
  const Reference reference{name, version, ""};
  return run(entry_of("rollback", reference), [&](HistoryEntry& entry) -> Result<Change> {
    LLMPATCH_ASSIGN(const std::vector<InstalledPatch> patches, records::patches(database_, name));
    LLMPATCH_ASSIGN(const std::optional<NameState> state, records::name_state(database_, name));
    LLMPATCH_ASSIGN(const std::vector<Activation> past, records::activations(database_, name));
    const auto installed = [&](const Activation& activation) {
      return std::find_if(patches.begin(), patches.end(), [&](const InstalledPatch& patch) {
        return patch.version == activation.version && patch.digest == activation.digest;
      });
    };
    const auto target = std::find_if(past.begin(), past.end(), [&](const Activation& activation) {
      if (!version.empty()) {
        return activation.version == version && installed(activation) != patches.end();
      }
      return state->active ? activation.id == state->latest->previous
                           : activation.id == state->latest->id;
    });
    const auto removed = [&](const std::string& which) {
      return make_error(ErrorKind::kNotFound, "store",
                        "rollback " + name + ": found that " + which +
                            ", which was active before, has been removed",
                        "name another one with --to, or install it again");
    };
    if (target == past.end()) {
      const bool was_active = std::any_of(past.begin(), past.end(), [&](const Activation& each) {
        return !version.empty() && each.version == version;
      });
      if (was_active) return removed(version);
      return make_error(ErrorKind::kNotFound, "store",
                        "rollback " + reference.to_string() +
                            (version.empty() ? ": found no version that was active before"
                                             : ": found no such version that was active here"),
                        "llmpatch history " + name + " shows what was");
    }
    entry.version = target->version;
    const auto found = installed(*target);
    if (found == patches.end()) return removed(target->version);
    if (found->active) return Change{*found, false, {}};
    LLMPATCH_ASSIGN(Change change, make_active(*found, target->previous));
    if (is_expired(*found)) {
      change.warnings.push_back(found->title() + " expired at " + *found->expires);
    }
    return change;
  });
}

}  // namespace llmpatch
