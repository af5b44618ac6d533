#include "patch_options.h"

#include <algorithm>

#include "distribution/load_path.h"
#include "gguf/admission.h"
#include "gguf/gguf_file.h"
#include "patch/stack.h"
#include "terminal.h"
#include "trust/load.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// Decides whether `patch` may run on `model`; the text is AdmittedPatch::forced.
Result<std::string> admit_patch(const PatchOptions& options, bool force, const Patch& patch,
                                const GgufFile& model) {
  LLMPATCH_ASSIGN(Admission admitted,
                  admit_base(patch.manifest, model, {options.accept_base, force}));
  if (!admitted.warning.empty()) warn(admitted.warning);
  return admitted.forced ? std::move(admitted.warning) : std::string();
}

// Why the stack may run without this patch; empty where it may not.
Result<std::string> unpatched_reason(const std::string& patch, const StorePlace& place) {
  const Result<Reference> reference = parse_reference(patch);
  if (!reference.ok() || reference->names_one()) return std::string();
  Result<Store> store = place.open(false);
  if (!store.ok()) return std::string();  // load_stored says so
  return store->unpatched_reason(reference->name);
}

Result<TrustedPatch> load_file(const std::string& patch, const StorePlace& place,
                               const Trust& trust, AllowUnsigned allow) {
  Result<Store> store = place.open(false);
  if (!store.ok() && store.error().kind != ErrorKind::kNotFound) return std::move(store).error();
  return load_patch_path(patch, store.ok() ? &*store : nullptr, trust, allow);
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
  app.add_option("--compose", compose, "How patches are stacked: sequential or parallel")
      ->capture_default_str();
  declare_checks(app);
}

void PatchOptions::declare_checks(CLI::App& app) {
  store.declare(app);
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
    LLMPATCH_ASSIGN(patch.forced, admit_patch(*this, force, patch.patch, file));
  }
  return stack;
}

Result<std::vector<AdmittedPatch>> PatchOptions::admit_every(const fs::path& model, bool force,
                                                             std::string_view command) const {
  LLMPATCH_ASSIGN(AdmittedStack admitted, admit(model, force));
  if (admitted.without.empty()) return std::move(admitted.patches);
  return make_error(ErrorKind::kDenied, std::string(command),
                    admitted.without.front() + ", and nothing is said of what is not there");
}

}  // namespace llmpatch
