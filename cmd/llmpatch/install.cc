// llmpatch install: puts a patch into the store, once its signature was verified.
#include <memory>

#include "command.h"
#include "store_options.h"
#include "trust_options.h"

namespace llmpatch {
namespace {

struct Options {
  std::filesystem::path patch;
  StorePlace store;
  TrustOptions trust;
  InstallOptions install;
  bool json = false;
};

Status run(Options& options) {
  LLMPATCH_ASSIGN(options.install.trust, options.trust.trust());
  options.install.allow_unsigned = options.trust.allow();
  LLMPATCH_ASSIGN(Store store, options.store.open(true));
  LLMPATCH_ASSIGN(const Change change, store.install(options.patch, options.install));
  return report_change(change, options.install.activate ? "installed and active" : "installed",
                       options.json);
}

}  // namespace

RunFn declare_install(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("PATCH", options->patch, "Patch directory or .llmpatch file")->required();
  options->store.declare(app);
  options->trust.declare(app);
  options->trust.declare_allow_unsigned(app);
  app.add_flag("--activate", options->install.activate, "Make it the active version, too");
  app.add_flag("--allow-downgrade", options->install.allow_downgrade,
               "Take a release that is older than one that was here");
  app.add_flag("--allow-expired", options->install.allow_expired, "Take a patch that has expired");
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
