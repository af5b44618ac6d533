#include "patch_options.h"

#include <algorithm>

#include "gguf/gguf_file.h"
#include "gguf/identity.h"
#include "patch/base_identity.h"
#include "patch/stack.h"
#include "terminal.h"
#include "trust/load.h"
#include "trust/verify.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

Error mismatch(const std::string& message, const char* hint) {
  return make_error(ErrorKind::kMismatch, "patch", message, hint);
}

// Decides whether `patch` may run on `model`; the text is AdmittedPatch::forced.
Result<std::string> admit_base(const PatchOptions& options, bool force, const Patch& patch,
                               const GgufFile& model) {
  const BaseIdentity& recorded = patch.manifest.base;
  LLMPATCH_ASSIGN(const IdentityMatch match, match_identity(recorded, model));
  const std::string title = patch_title(patch.manifest);
  const std::string file = model.path().string();
  switch (match.verdict) {
    case IdentityVerdict::kExact:
      return std::string();
    case IdentityVerdict::kSameFamily:
      warn(title + ": " + file +
           " is another quantisation of its base; the card was measured on another file");
      return std::string();
    case IdentityVerdict::kUnconfirmed:
      if (!options.accept_base) {
        return mismatch(title + ": found " + file + ", which may or may not be its base model (" +
                            match.reason + ")",
                        "say --accept-base if you know that it is");
      }
      warn(title + ": " + file + " could not be confirmed as its base model (" + match.reason +
           "); accepted by --accept-base");
      return std::string();
    case IdentityVerdict::kDifferent:
      break;
  }
  if (!force) {
    const std::string made_for = recorded.name.empty() ? recorded.architecture : recorded.name;
    return mismatch(title + ": found " + file + ", expected its base model " + made_for + " (" +
                        match.reason + ")",
                    "run it on the model it was made for");
  }
  const std::string forced = title + " was made for another model than " + file + " (--force)";
  warn(forced);
  return forced;
}

// Why the stack may run without this patch; empty where it may not.
Result<std::string> unpatched_reason(const std::string& patch, const StorePlace& place) {
  const Result<Reference> reference = parse_reference(patch);
  if (!reference.ok() || reference->names_one()) return std::string();
  Result<Store> store = place.open(false);
  if (!store.ok()) return std::string();  // load_stored says so
  return store->unpatched_reason(reference->name);
}

// A patch from a file is not one of the store, but its policy holds, and it knows what was revoked.
Result<TrustedPatch> load_file(const std::string& patch, const StorePlace& place,
                               const Trust& trust, AllowUnsigned allow) {
  Result<Store> store = place.open(false);
  if (!store.ok() && store.error().kind != ErrorKind::kNotFound) return std::move(store).error();
  if (!store.ok()) return load_trusted_patch(patch, trust, allow);
  LLMPATCH_ASSIGN(const Trust own, store->policy());
  const bool verifies = !trust.empty() || !own.empty();
  LLMPATCH_ASSIGN(PatchFiles files, verifies ? read_signed_files(patch) : read_patch_files(patch));
  LLMPATCH_ASSIGN(TrustedPatch loaded, store->load_files(std::move(files), patch, trust, allow));
  const Manifest& manifest = loaded.patch.manifest;
  LLMPATCH_TRY(store->check_revoked(manifest.name, manifest.version, loaded.root_digest));
  return loaded;
}

// A patch that is no path.
Result<TrustedPatch> load_stored(const std::string& patch, const StorePlace& place,
                                 const Trust& trust, AllowUnsigned allow) {
  const auto load = [&]() -> Result<StoredPatch> {
    LLMPATCH_ASSIGN(const Reference reference, parse_reference(patch));
    LLMPATCH_ASSIGN(Store store, place.open(false));
    return store.load(reference, trust, allow);
  };
  Result<StoredPatch> stored = load();
  if (!stored.ok()) return not_in_store("--patch", patch, std::move(stored).error());
  if (!stored->expired.empty()) warn(stored->expired);
  return std::move(stored->loaded);
}

Status admit_together(const std::vector<AdmittedPatch>& patches) {
  std::vector<Manifest> stack;
  for (const AdmittedPatch& patch : patches) stack.push_back(patch.patch.manifest);
  return check_stack(stack);
}

}  // namespace

std::vector<std::string> AdmittedPatch::warnings() const {
  std::vector<std::string> lines;
  for (const std::string& line : {unverified, forced}) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> AdmittedStack::warnings() const {
  std::vector<std::string> lines = without;
  for (const AdmittedPatch& patch : patches) {
    for (std::string& line : patch.warnings()) lines.push_back(std::move(line));
  }
  return lines;
}

void PatchOptions::declare(CLI::App& app) {
  app.add_option("--patch", patches,
                 "Patch directory, .llmpatch file, or NAME, NAME@VERSION or NAME@sha256:DIGEST of "
                 "the store; repeatable, in order")
      ->allow_extra_args(false);
  store.declare(app);
  app.add_option("--compose", compose, "How patches are stacked: sequential or parallel")
      ->capture_default_str();
  trust.declare(app);
  trust.declare_allow_unsigned(app);
  app.add_flag("--accept-base", accept_base,
               "Trust that the model is the patch's base where that cannot be told");
}

Result<AdmittedStack> PatchOptions::admit(const fs::path& model, bool force) const {
  LLMPATCH_ASSIGN(const Compose composed, composition());
  LLMPATCH_ASSIGN(const Trust trusted, trust.trust());
  AdmittedStack stack;
  std::vector<AdmittedPatch>& admitted = stack.patches;
  for (const std::string& patch : patches) {
    const bool is_path = is_patch_path(patch);
    if (is_path) {
      warn_of_shadow(patch, store);
    } else {
      LLMPATCH_ASSIGN(std::string reason, unpatched_reason(patch, store));
      if (!reason.empty()) {
        warn(reason);
        stack.without.push_back(std::move(reason));
        continue;
      }
    }
    LLMPATCH_ASSIGN(TrustedPatch loaded, is_path
                                             ? load_file(patch, store, trusted, trust.allow())
                                             : load_stored(patch, store, trusted, trust.allow()));
    if (!loaded.warning.empty()) warn(loaded.warning);
    admitted.push_back({std::move(loaded.patch), "", std::move(loaded.warning)});
  }
  LLMPATCH_TRY(admit_together(admitted));
  if (composed == Compose::kParallel) {
    std::sort(admitted.begin(), admitted.end(), [](const AdmittedPatch& a, const AdmittedPatch& b) {
      return a.patch.manifest.name < b.patch.manifest.name;
    });
  }
  if (admitted.empty()) return stack;
  LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(model));
  for (AdmittedPatch& patch : admitted) {
    LLMPATCH_ASSIGN(patch.forced, admit_base(*this, force, patch.patch, file));
  }
  return stack;
}

}  // namespace llmpatch
