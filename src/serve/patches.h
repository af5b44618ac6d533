// The patches of a running server: the table of the moment, exchanged while requests run. Internal
// to serve/.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "serve/patch_loader.h"

namespace llmpatch {

// Thread-safe.
class Patches {
 public:
  // `engine` must outlive it. Errors of load_patches, and of the default stack and those that have
  // names, unless they were revoked or none is active: then the server runs, and is not ready.
  static Result<std::unique_ptr<Patches>> open(PatchSources sources, ServingEngine& engine);

  std::shared_ptr<const PatchTable> table() const;

  // Reads everything anew, with `sources` from other ones from now on; then new requests run on
  // that. On failure all stays as it was: errors of load_patches, and of a stack with a name that
  // is new or means something else (one that a patch has, too: kInvalidArgument). Blocks while it
  // reads. Gives the warnings that the table before had not.
  Result<std::vector<std::string>> reload(std::optional<PatchSources> sources = std::nullopt);

  std::shared_ptr<const PatchSources> sources() const;

 private:
  Patches(PatchSources sources, ServingEngine& engine)
      : sources_(std::make_shared<const PatchSources>(std::move(sources))), engine_(engine) {}

  std::mutex reloading_;  // one at a time
  mutable std::mutex mutex_;
  std::shared_ptr<const PatchSources> sources_;
  ServingEngine& engine_;
  std::shared_ptr<const PatchTable> table_;
};

// Every warning of a table, a line each: of its patches, and of names it runs without.
std::vector<std::string> warnings_of(const PatchTable& table);

}  // namespace llmpatch
