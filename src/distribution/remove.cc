// Store::remove.
#include "distribution/store.h"

namespace llmpatch {

Result<Change> Store::remove(const Reference& reference) {
  return run(entry_of("remove", reference), [&](HistoryEntry&) -> Result<Change> {
    if (!reference.names_one()) {
      return make_error(
          ErrorKind::kInvalidArgument, "store",
          "remove: found " + reference.name + ", expected " + reference.name + "@version",
          "llmpatch list shows the versions");
    }
    LLMPATCH_ASSIGN(InstalledPatch patch, find(reference, Bare::kNewest));
    if (patch.active) {
      return make_error(ErrorKind::kDenied, "store", "remove " + patch.title() + ": it is active",
                        "llmpatch deactivate " + patch.name + ", or activate another version");
    }
    LLMPATCH_TRY(records::remove_patch(database_, patch.id));
    return Change{std::move(patch), true, {}};
  });
}

}  // namespace llmpatch
