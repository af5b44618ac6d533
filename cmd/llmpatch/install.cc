// llmpatch install: puts a patch into the store, once its signature was verified.
#include <memory>
#include <string_view>

#include "command.h"
#include "registry_options.h"
#include "store_options.h"
#include "trust_options.h"

namespace llmpatch {
namespace {

struct Options {
  std::string patch;
  StorePlace store;
  RegistryPlace registry;
  TrustOptions trust;
  InstallOptions install;
  bool json = false;
};

// What begins so is in a registry; everything else is a path, whatever it looks like.
constexpr std::string_view kRegistry = "oci://";

// Somebody may have meant a registry where there is no such path.
Error with_hint(const Options& options, Error error) {
  if (error.kind == ErrorKind::kNotFound && parse_oci_reference(options.patch).ok()) {
    error.hint = "for a patch in a registry say " + std::string(kRegistry) + options.patch;
  }
  return error;
}

Status install_path(const Options& options, const char* done) {
  LLMPATCH_ASSIGN(Store store, options.store.open(true));
  const Result<Change> change = store.install(options.patch, options.install);
  if (!change.ok()) return with_hint(options, change.error());
  return report_change(*change, done, options.json);
}

Status install_from_registry(const Options& options, const char* done, const CancelFlag& cancel) {
  LLMPATCH_ASSIGN(OciReference reference, parse_oci_reference(options.patch));
  LLMPATCH_ASSIGN(Store store, options.store.open(true));
  const std::string asked = reference.to_string();
  const auto pull = [&]() -> Result<PatchFiles> {
    LLMPATCH_ASSIGN(Pulled pulled, options.registry.pull(reference, cancel));
    reference = std::move(pulled.reference);
    return std::move(pulled.files);
  };
  LLMPATCH_ASSIGN(const Change change, store.install(asked, pull, options.install));
  return report_change(change, done, options.json, reference.to_string());
}

Status run(Options& options, const CancelFlag& cancel) {
  LLMPATCH_ASSIGN(options.install.trust, options.trust.trust());
  options.install.allow_unsigned = options.trust.allow();
  const char* done = options.install.activate ? "installed and active" : "installed";
  return options.patch.starts_with(kRegistry) ? install_from_registry(options, done, cancel)
                                              : install_path(options, done);
}

}  // namespace

RunFn declare_install(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("PATCH", options->patch,
                 "Patch directory, .llmpatch file, or of a registry oci://host/repository:tag or "
                 "oci://host/repository@sha256:<digest>")
      ->required();
  options->store.declare(app);
  options->registry.declare(app);
  options->trust.declare(app);
  options->trust.declare_allow_unsigned(app);
  app.add_flag("--activate", options->install.activate, "Make it the active version, too");
  app.add_flag("--allow-downgrade", options->install.allow_downgrade,
               "Take a release that is older than one that was here");
  app.add_flag("--allow-expired", options->install.allow_expired, "Take a patch that has expired");
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
